"""What a prediction passes through, and nothing else: the part of a model that is exported."""

from __future__ import annotations

import copy
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmscd.models import loading
from mmscd.utils.config import load_config


class DepthGraph(nn.Module):
    """Image to inverse depth, normalisation included. Holds neither pose net nor anything of the
    distillation, because it takes only two parts out of the model.

    Args:
        model: the estimator; its weights are shared unless `half`.
        half: a copy that computes in float16. Normalisation, the convolution before the sigmoid
            and all after it stay in float32, and so do input and output.
    """

    def __init__(self, model: nn.Module, half: bool = False) -> None:
        super().__init__()
        self.backbone, self.disp_head = model.backbone, model.disp_head
        self.dtype = torch.float16 if half else torch.float32
        if half:
            self.backbone = copy.deepcopy(self.backbone).half()
            self.disp_head = copy.deepcopy(self.disp_head).half()
            if hasattr(self.disp_head, 'predict'):
                self.disp_head.predict.float()
        self.normalise = copy.deepcopy(model.data_preprocessor.normalise)
        self.min_depth, self.max_depth = model.depth_range
        # metres per unit of depth, of converted stereo weights
        self.depth_scale = getattr(model, 'depth_scale', None) or 1.0
        self.low, self.high = 1 / self.max_depth, 1 / self.min_depth
        self.stride = int(getattr(model.disp_head, 'stride', 1))
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        """Inverse depth, 1 / metres (up to scale for monocular training): float32 (B, 1, H, W) in
        [1 / max_depth, 1 / min_depth], of a float32 RGB image (B, 3, H, W) in [0, 1] whose sides
        are multiples of `stride`."""
        x = self.normalise(image).to(self.dtype)
        disp = self.disp_head(self.backbone(x))[0].float()
        return self.low + (self.high - self.low) * disp

    def check_size(self, size: tuple[int, int]) -> None:
        """ValueError where a side of (width, height) is no positive multiple of `stride`."""
        width, height = size
        if width < 1 or height < 1 or width % self.stride or height % self.stride:
            takes = f'sides that are multiples of {self.stride}'
            raise ValueError(f'the network takes {takes}, got {width}x{height}')

    def to_disp(self, inv_depth: Tensor) -> Tensor:
        """The sigmoid disparity in [0, 1] of an inverse depth."""
        return (inv_depth - self.low) / (self.high - self.low)


def load_network(
    config: str, checkpoint: str | None = None, cfg_options: dict[str, Any] | None = None
) -> tuple[Config, nn.Module]:
    """A config (path, or package::path; overrides) and its network for single images, float32 on
    the CPU, with random weights without a checkpoint (for counting and timing). FileNotFoundError,
    RuntimeError, ValueError: see `loading.load_model`."""
    cfg = load_config(config, cfg_options)
    network = loading.load_model(cfg, checkpoint, device='cpu') if checkpoint else None
    network = network or loading.build_network(cfg)
    network.flip_tta = False  # a graph does not
    return cfg, network

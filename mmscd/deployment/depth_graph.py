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
        self.dtype = torch.float32
        if half:
            self.dtype = torch.float16
            self.backbone = copy.deepcopy(self.backbone).half()
            self.disp_head = copy.deepcopy(self.disp_head).half()
            if hasattr(self.disp_head, 'predict'):
                self.disp_head.predict.float()
        self.normalise = copy.deepcopy(model.data_preprocessor.normalise)
        self.min_depth, self.max_depth = model.depth_range
        self.stride = int(getattr(model.disp_head, 'stride', 1))
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        """Inverse depth, 1 / metres (up to scale for monocular training).

        Args:
            image: float32 (B, 3, H, W), RGB in [0, 1]; sides are multiples of `stride`.

        Returns:
            float32 (B, 1, H, W) in [1 / max_depth, 1 / min_depth].
        """
        x = self.normalise(image).to(self.dtype)
        disp = self.disp_head(self.backbone(x))[0].float()
        low, high = 1 / self.max_depth, 1 / self.min_depth
        return low + (high - low) * disp

    def check_size(self, size: tuple[int, int]) -> None:
        """Refuse an input that the network cannot take.

        Args:
            size: (width, height).

        Raises:
            ValueError: a side is no positive multiple of `stride`.
        """
        width, height = size
        if width < 1 or height < 1 or width % self.stride or height % self.stride:
            raise ValueError(
                f'the network takes sides that are multiples of {self.stride}, got {width}x{height}'
            )

    def to_disp(self, inv_depth: Tensor) -> Tensor:
        """The sigmoid disparity in [0, 1] of an inverse depth."""
        low, high = 1 / self.max_depth, 1 / self.min_depth
        return (inv_depth - low) / (high - low)


def load_network(
    config: str, checkpoint: str | None = None, cfg_options: dict[str, Any] | None = None
) -> tuple[Config, nn.Module]:
    """A config, and its network for single images, float32 on the CPU.

    Args:
        config: path, or package::path.
        checkpoint: path or URL; None leaves random weights (for counting and timing).
        cfg_options: overrides of the config.

    Raises:
        FileNotFoundError, RuntimeError, ValueError: see `loading.load_model`.
    """
    cfg = load_config(config, cfg_options)
    network = loading.load_model(cfg, checkpoint, device='cpu') if checkpoint else None
    network = network or loading.build_network(cfg)
    network.flip_tta = False  # a graph does not
    return cfg, network

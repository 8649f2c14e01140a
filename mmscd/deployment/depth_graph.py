"""What a prediction passes through, and nothing else: the part of a model that is exported."""

from __future__ import annotations

import copy
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from mmscd.models import loading
from mmscd.registry import MODELS
from mmscd.utils.compat import load_checkpoint_file
from mmscd.utils.config import load_config

# of the weights: those that a prediction passes through
PARTS = ('backbone.', 'disp_head.')


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
    """A model for single images, without pose net, teacher and graph, in eval mode.

    Args:
        config: path, or package::path.
        checkpoint: local file; None leaves random weights (for counting and timing).
        cfg_options: overrides of the config.

    Returns:
        The config as it was built, and the model, float32 on the CPU.

    Raises:
        FileNotFoundError, RuntimeError: config or checkpoint is missing or broken.
        ValueError: the config has no depth model, or the checkpoint is of another one.
    """
    cfg = load_config(config, cfg_options)
    model_cfg = cfg.get('model')
    if not model_cfg or not {'backbone', 'disp_head'} <= set(model_cfg):
        raise ValueError(
            f'{config} is no config of a depth model: expected model.backbone and '
            f'model.disp_head, found {sorted(model_cfg or cfg)}'
        )
    loading.prepare_for_inference(cfg)
    # losses may ask for maps of a teacher; a graph is float32 unless the export says otherwise
    model_cfg.losses = {}  # an update would merge
    model_cfg.update(network_dtype=None, channels_last=False, flip_tta=False)
    model_cfg.update(pose_net=None, frame_ids=[0])
    init_default_scope(cfg.get('default_scope', 'mmscd'))
    model = MODELS.build(model_cfg).eval()
    if checkpoint is not None:
        load_weights(model, checkpoint, config)
    return cfg, model


def load_weights(model: nn.Module, checkpoint: str, config: str) -> None:
    """Load what a prediction needs of a checkpoint.

    Args:
        model: changed in place.
        checkpoint: local file of mmscd.
        config: named in errors.

    Raises:
        FileNotFoundError, RuntimeError: the file is missing or broken.
        ValueError: it lacks weights of the model, or they have other shapes.
    """
    state = load_checkpoint_file(checkpoint)
    state = state.get('state_dict', state) if isinstance(state, dict) else {}
    wanted = {k: v for k, v in model.state_dict().items() if k.startswith(PARTS)}
    absent = [key for key in wanted if key not in state]
    other = [key for key in wanted if key in state and state[key].shape != wanted[key].shape]
    surplus = [key for key in state if key.startswith(PARTS) and key not in wanted]
    if absent or other or surplus:
        counts = f'{len(absent)} missing, {len(other)} of another shape, {len(surplus)} surplus'
        raise ValueError(
            f'{checkpoint} does not fit the model of {config}: {counts} (first: '
            f'{(absent + other + surplus)[0]}). Is it a checkpoint of another config? Files of '
            'other projects go through tools/model_converters/ first'
        )
    normalisation = {k: v for k, v in state.items() if k.startswith('data_preprocessor.')}
    model.load_state_dict({key: state[key] for key in wanted} | normalisation, strict=False)


def network_size(cfg: Config) -> tuple[int, int]:
    """(width, height) that a config's pipelines resize to.

    Raises:
        ValueError: no pipeline of the config resizes.
    """
    for name in ('test_dataloader', 'val_dataloader', 'train_dataloader'):
        pipeline = ((cfg.get(name) or {}).get('dataset') or {}).get('pipeline') or []
        for transform in pipeline:
            if transform.get('type') == 'ResizeFrames':
                return tuple(transform['size'])
    raise ValueError(
        f'{cfg.filename or "the config"} names no size (no ResizeFrames in its pipelines); '
        'give it: --size 640x192'
    )

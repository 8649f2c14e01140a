"""A frozen segmentation network of mmseg as the semantic teacher."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor, nn

from mmscd.models.taps import TapRecorder, describe_tap, find_module
from mmscd.registry import TEACHERS

from .checkpoints import classes_of, find_weights, load_weights
from .mmseg_network import build_network, read_model_config, read_normalisation


class _AllTapped(Exception):
    """Ends a forward pass whose rest nobody needs."""


@TEACHERS.register_module()
class MMSegTeacher(nn.Module):
    """What a segmentation network of mmseg says about images: maps of chosen modules, logits.

    It is frozen, in eval mode for good (`train()` does nothing) and runs under `no_grad`. Its
    owner keeps it outside the module tree, so that no optimizer, checkpoint or DDP sees it. A
    forward pass ends as soon as every tap has its map, unless logits are needed.

    Args:
        config: `mmseg::segformer/....py`, the path of an mmseg config, or such a config as a dict.
        checkpoint: path, http(s) URL, or `'auto'`: what mmseg's metafile lists for that config.
            None means `'auto'`, unless `allow_random`.
        taps: dicts with `module` (path inside the segmentor: `backbone`, `neck`,
            `decode_head.linear_fuse`, ...), `index` where it puts out several maps, and what
            `probe` shall find: `channels`, `stride` (of the map, relative to the teacher's input).
        needs_logits: also give the logits of the decode head, at its own resolution.
        input_size: (width, height) that images are resized to; None leaves them as they come.
        dtype: `'bfloat16'` or `'float16'` runs the network under autocast, and None in float32,
            also inside an autocast of the caller. On a CPU with bf16 instructions, `'bfloat16'`
            with `channels_last` takes half the time for convolutions (ResNet-18 + FPN: 126
            instead of 299 ms for 8 images of 320x96 on one core); some
            transformers lose by it.
        channels_last: memory format of weights and images.
        allow_random: random weights (the same in every process) where `checkpoint` is None.

    Raises:
        ValueError: neither taps nor logits; a tap names no module; no weights; keys do not fit.
        ImportError, RuntimeError: the network needs a package or an op that is not installed.
    """

    def __init__(
        self,
        config: str | Mapping[str, Any],
        checkpoint: str | None = None,
        taps: Sequence[Mapping[str, Any]] = (),
        needs_logits: bool = False,
        input_size: tuple[int, int] | None = None,
        dtype: str | None = None,
        channels_last: bool = False,
        allow_random: bool = False,
    ) -> None:
        super().__init__()
        if not taps and not needs_logits:
            raise ValueError('a teacher needs taps or needs_logits=True; otherwise it says nothing')
        if dtype not in (None, 'bfloat16', 'float16'):
            raise ValueError(
                f"dtype must be 'bfloat16', 'float16' or None (float32), got {dtype!r}"
            )
        # maps must not depend on whether the rest of the network runs, for logits, or not
        self.recorder = TapRecorder(taps, snapshot=True)
        self.taps = self.recorder.taps
        self.needs_logits = needs_logits
        self.input_size = tuple(input_size) if input_size else None
        self.dtype = getattr(torch, dtype) if dtype else None
        model = read_model_config(config)
        source = _choose_weights(config, checkpoint, allow_random)
        self.network = build_network(model)
        for tap in self.taps:
            find_module(self.network, tap['module'])
        meta = load_weights(self.network, source) if source else {}
        self.classes = classes_of(meta)
        self.num_classes = getattr(self.network, 'out_channels', None)
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.network.to(memory_format=self.memory_format)
        normalisation = read_normalisation(model)
        self.bgr = normalisation.bgr
        for name in ('mean', 'std'):
            value = torch.tensor(getattr(normalisation, name)).view(1, -1, 1, 1) / 255
            self.register_buffer(name, value, persistent=False)
        self.network.requires_grad_(False)

    def train(self, mode: bool = True) -> MMSegTeacher:
        """Nothing: a teacher stays in eval mode."""
        return self

    @torch.no_grad()
    def forward(self, images: Tensor) -> dict[str, Any]:
        """What clean images (B, 3, H, W), RGB in [0, 1], show: `feats`, float32 maps (B, C, h, w)
        in the order of `taps`; `logits`, float32 (B, classes, h, w), or None without
        `needs_logits`; `classes`, their names, or None where the checkpoint has none."""
        if images.dim() != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise ValueError(
                f'a teacher takes images (B, 3, H, W) in [0, 1], got {images.dtype} '
                f'{tuple(images.shape)}'
            )
        if self.network.training:  # somebody went through modules one by one
            self.network.eval()
        with torch.autocast(images.device.type, self.dtype, enabled=self.dtype is not None):
            maps, logits = self._run(self.prepare(images))
        return dict(
            feats=[self._check_map(m, t) for m, t in zip(maps, self.taps, strict=True)],
            logits=logits.float() if self.needs_logits and logits is not None else None,
            classes=self.classes,
        )

    def prepare(self, images: Tensor) -> Tensor:
        """Images as the network was trained on: size, channel order, normalisation."""
        x = images.to(self.mean.dtype)
        if self.input_size and x.shape[-2:] != self.input_size[::-1]:
            x = F.interpolate(x, self.input_size[::-1], mode='bilinear', antialias=True)
        if self.bgr:
            x = x.flip(1)
        return ((x - self.mean) / self.std).contiguous(memory_format=self.memory_format)

    def probe(self, height: int, width: int) -> list[tuple[int, int, int]]:
        """Shapes (C, h, w) of the tapped maps for images of that size. ValueError: one has other
        channels or another stride than its tap declares; RuntimeError: the network takes no such
        images."""
        images = torch.zeros(1, 3, height, width, device=self.mean.device)
        try:
            shapes = [tuple(feat.shape[1:]) for feat in self(images)['feats']]
        except RuntimeError as error:
            raise RuntimeError(
                f'the teacher fails on images of {width}x{height}: {error}. If its network takes '
                'images of one size only, give the teacher that `input_size`'
            ) from error
        if self.input_size:
            width, height = self.input_size
        for tap, shape in zip(self.taps, shapes, strict=True):
            channels, stride = tap.get('channels', shape[0]), tap.get('stride')
            fits = (
                stride is None
                or all(
                    abs(found - side / stride) <= 1  # networks round up or down
                    for found, side in zip(shape[1:], (height, width), strict=True)
                )
            )
            if channels != shape[0] or not fits:
                raise ValueError(
                    f'tap {describe_tap(tap)} of the teacher declares {channels} channels at '
                    f'stride {stride or "any"}, found {shape[0]} channels and a map of '
                    f'{shape[2]}x{shape[1]} for images of {width}x{height} (stride '
                    f'{width / shape[2]:g}); correct the declaration or tap another module'
                )
        return shapes

    def _run(self, x: Tensor) -> tuple[list[Tensor], Tensor | None]:
        """Tapped maps and logits; nothing runs that neither needs."""
        network = self.network
        with self.recorder.recording(network) as maps:
            try:
                with contextlib.nullcontext() if self.needs_logits else self._stopping(maps):
                    return maps, self._decode(x)
            except _AllTapped:
                return maps, None

    def _decode(self, x: Tensor) -> Tensor:
        network = self.network
        # a cascade answers `predict` only; mmseg's `_forward` passes hooks on its head by
        if hasattr(network, 'backbone') and not isinstance(network.decode_head, nn.ModuleList):
            logits = network.decode_head(network.extract_feat(x))
            if isinstance(logits, Tensor):
                return logits
        size = x.shape[-2:]
        meta = dict(ori_shape=size, img_shape=size, pad_shape=size, padding_size=[0, 0, 0, 0])
        return network.encode_decode(x, [meta] * len(x))

    @contextlib.contextmanager
    def _stopping(self, maps: list[Tensor | None]) -> Iterator[None]:
        """While open, the network's forward ends by `_AllTapped` when every tap has its map."""

        def stop(*_: Any) -> None:
            if all(m is not None for m in maps):
                raise _AllTapped

        tapped = {find_module(self.network, tap['module']) for tap in self.taps}
        handles = [module.register_forward_hook(stop) for module in tapped]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _check_map(self, feat: Tensor, tap: Mapping[str, Any]) -> Tensor:
        if feat.dim() != 4:
            raise ValueError(
                f'tap {describe_tap(tap)} of the teacher gives {tuple(feat.shape)}, not maps '
                '(B, C, h, w); tap a module that puts out maps'
            )
        return feat.float()


def _choose_weights(
    config: str | Mapping[str, Any], checkpoint: str | None, allow_random: bool
) -> str | None:
    """Path or URL of the weights, None for random ones."""
    if checkpoint is None and allow_random:
        print_log('the teacher has random weights, as its config allows', 'current', 30)
        return None
    if checkpoint not in (None, 'auto'):
        return str(checkpoint)
    try:
        if not isinstance(config, str):
            raise ValueError('a config given as a dict has no metafile')
        return find_weights(config)
    except ValueError as error:
        raise ValueError(
            f'the teacher has no weights: {error}. Give `checkpoint` a path or a URL; '
            '`allow_random=True` with `checkpoint=None` is for tests'
        ) from None

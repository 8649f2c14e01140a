"""The depth estimator that learns from video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmengine.registry import Registry
from mmengine.structures import PixelData
from torch import Tensor, nn

from mmscd.geometry import (
    axis_angle_to_rotation,
    compose_transform,
    disp_to_depth,
    invert_transform,
)
from mmscd.models.outputs import (
    StepOutputs,
    check_needs,
    collapse_notes,
    form_of_kernels,
    makes_of,
)
from mmscd.models.statistics import running_statistics
from mmscd.registry import DISTILLERS, LOSSES, MODELS
from mmscd.structures import DepthDataSample
from mmscd.utils.compat import current_autocast
from mmscd.utils.compiling import compile_parts


@MODELS.register_module()
class SelfSupervisedDepthEstimator(BaseModel):
    """Depth from single images, learnt by explaining the neighbouring frames.

    The total loss is the sum of what `losses` lists; each reads what it needs from `StepOutputs`.

    Args:
        backbone: config of a network from images to feature maps.
        disp_head: config of a network from feature maps to disparities.
        pose_net: config of a network from frame pairs to motion; None where every source is the
            stereo partner, whose pose is known.
        losses: configs by name; the name is logged with the prefix `loss_`. None instead of a
            config drops a term that a base config has.
        pixel_weights: configs by name of components that say, before any loss, how much a pixel of
            the target counts; losses that respect them say so.
        distiller: config of what transfers a teacher's knowledge; it is used in training only.
        frame_ids: what the frames of a sample are, target 0 first; `'s'` is the stereo partner.
        min_depth, max_depth: range of depth, metres (up to scale for monocular training).
        network_dtype: `'bfloat16'` runs the networks under autocast, on any device; geometry and
            losses stay in float32.
        channels_last: NHWC order of weights and maps: faster half-precision convolutions.
        kernels: which form of view synthesis and photometric error runs: `torch`; `triton`, five
            kernels with float32 arithmetic on CUDA; `cpp`, one for CPUs that is built on first use
            and equals `torch` up to rounding; `auto`: `cpp` where it can be built, else `torch`.
        cuda_graph: True replays the training step as one CUDA graph where it can, see
            `engine.step_graph`; `'auto'` and False do not.
        compile: parts of a training step that run by `torch.compile`, True or a list out of
            `utils.compiling.PARTS`; values are equal up to rounding, names of weights the same.
        flip_tta: average the prediction with that of the mirrored image.
        data_preprocessor: config of the preprocessor.
        init_cfg: mmengine's initialisation.
    """

    def __init__(
        self,
        backbone: dict,
        disp_head: dict,
        pose_net: dict | None,
        losses: dict[str, dict | None],
        pixel_weights: dict[str, dict | None] | None = None,
        distiller: dict | None = None,
        frame_ids: Sequence[int | str] = (0, -1, 1),
        min_depth: float = 0.1,
        max_depth: float = 100.0,
        network_dtype: str | None = None,
        channels_last: bool = False,
        kernels: str = 'auto',
        cuda_graph: bool | str = 'auto',
        compile: bool | Sequence[str] = False,
        flip_tta: bool = False,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        preprocessor = MODELS.build(data_preprocessor or dict(type='DepthDataPreprocessor'))
        super().__init__(preprocessor, init_cfg)
        self.frame_ids = tuple(frame_ids)
        temporal = [f for f in self.frame_ids[1:] if f != 's']
        if not self.frame_ids or self.frame_ids[0] != 0:
            raise ValueError(f'frame_ids must begin with the target 0, got {frame_ids}')
        if temporal and pose_net is None:
            raise ValueError(f'the sources {temporal} need a pose_net, got None')
        if not 0 < min_depth < max_depth:
            raise ValueError(f'expected 0 < min_depth < max_depth, got {min_depth} and {max_depth}')
        self.backbone = MODELS.build(backbone)
        self.disp_head = MODELS.build(disp_head)
        # a pose net that nothing uses would be an unused parameter to DDP
        self.pose_net = MODELS.build(pose_net) if temporal else None
        self.losses = _build_named(losses, LOSSES)
        # for `ScheduleHook`: it may name losses that a config switches off by None, and sets
        # factors by name; a loss of strength 0 is not computed
        self.loss_names, self.loss_strengths = tuple(losses), dict[str, float]()
        # what losses are multiplied by instead where Python does not run in every step
        self.loss_factors = dict[str, Tensor]()
        self.pixel_weights = _build_named(pixel_weights or {}, MODELS)
        self.distiller = DISTILLERS.build(distiller) if distiller else None
        self._check_parts()
        self.depth_range = (min_depth, max_depth)
        self.network_dtype = getattr(torch, network_dtype) if network_dtype else None
        if cuda_graph not in ('auto', True, False):
            raise ValueError(f"cuda_graph must be 'auto', True or False, got {cuda_graph!r}")
        self.flip_tta, self.kernels, self.cuda_graph = flip_tta, kernels, cuda_graph
        networks = self.backbone, self.disp_head, self.pose_net
        self.compiled = compile_parts(compile, preprocessor, networks)
        if channels_last:
            self.to(memory_format=torch.channels_last)

    def _check_parts(self) -> None:
        """Refuse now what a part that begins late would find out after hours."""
        parts = {f'pixel_weights.{name}': part for name, part in self.pixel_weights.items()}
        parts |= {f'losses.{name}': part for name, part in self.losses.items()}
        if self.distiller is not None:
            parts['distiller'] = self.distiller
        check_needs(parts)
        for name, part in self.losses.items():
            share = getattr(part, 'samples', 1)
            distilled = set(makes_of(part)) & set(getattr(self.distiller, 'passes', ()))
            if distilled and share < 1:
                raise ValueError(
                    f'distiller.passes has {distilled.pop()!r}, of which losses.{name} makes a '
                    f'share of {share:g} of the batch: set losses.{name}.samples=1.0, or change '
                    'distiller.passes'
                )

    def forward(
        self,
        inputs: dict[str, Tensor],
        data_samples: list[DepthDataSample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """mmengine's modes for what `DepthDataPreprocessor` puts out: `loss` (dict of losses and
        notes), `predict` (data samples, one per image, with predictions), `tensor` (finest
        disparity of the target, (B, 1, H, W))."""
        if mode in ('loss', 'predict'):
            return getattr(self, mode)(inputs, data_samples)
        if mode == 'tensor':
            return self.finest_disp(inputs['network_input'][:, 0])
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def network_context(self, like: Tensor) -> Any:
        """Autocast for the networks where `network_dtype` asks for it."""
        if self.network_dtype is None:
            return nullcontext()
        return torch.autocast(like.device.type, self.network_dtype)

    def estimate_disps(self, image: Tensor) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """Disparities, float32, finest first, and the backbone's maps, of normalised images (B, 3,
        H, W) whose sides are multiples of the decoder's coarsest stride."""
        stride = getattr(self.disp_head, 'stride', 1)
        if image.shape[-2] % stride or image.shape[-1] % stride:
            raise ValueError(
                f'the network takes images whose sides are multiples of {stride}, got '
                f'{image.shape[-1]}x{image.shape[-2]}; change the size in ResizeFrames'
            )
        with self.network_context(image):
            feats = self.backbone(image)
            disps = self.disp_head(feats)
        return [_at_least_float32(d) for d in disps], feats

    def finest_disp(self, image: Tensor) -> Tensor:
        """What predictions are made of: the first of `estimate_disps`. `use_precision` puts a
        faster form in its place."""
        return self.estimate_disps(image)[0][0]

    def estimate_poses(self, inputs: dict[str, Tensor]) -> Tensor:
        """T_source_target (B, S, 4, 4) of every source.

        Pairs go into the pose net in order of time, so that it sees one direction of motion only;
        the motion of earlier frames is inverted.
        """
        images = inputs['network_input']
        pairs, sources = [], self.frame_ids[1:]
        for index, frame_id in enumerate(sources, 1):
            if isinstance(frame_id, int):
                order = (index, 0) if frame_id < 0 else (0, index)
                pairs.append(torch.cat([images[:, i] for i in order], 1))
        transforms: dict[int | str, Tensor] = {}
        if self.pose_net is not None:
            with self.network_context(images):
                axis_angle, translation = self.pose_net(torch.cat(pairs))
            # AmpOptimWrapper's autocast reaches as far as here; its products would have 11 bits
            with torch.autocast(images.device.type, enabled=False):
                rotation = axis_angle_to_rotation(_at_least_float32(axis_angle))
                motion = compose_transform(rotation, _at_least_float32(translation))
                temporal = [f for f in sources if isinstance(f, int)]
                for frame_id, T in zip(temporal, motion.split(len(images)), strict=True):
                    transforms[frame_id] = invert_transform(T) if frame_id < 0 else T
        if 's' in sources:
            transforms['s'] = inputs['T_stereo'].to(images.dtype)
        return torch.stack([transforms[f] for f in sources], 1)

    def compute_outputs(self, inputs: dict[str, Tensor]) -> StepOutputs:
        """What the losses read, of a batch as the data preprocessor puts it out."""
        extras = dict(inputs)
        frames, seen = extras.pop('frames'), extras.pop('network_input')
        if frames.shape[1] != len(self.frame_ids):
            raise ValueError(
                f'the model expects the frames {list(self.frame_ids)}, the data has '
                f'{frames.shape[1]}: model.frame_ids and the dataset must agree'
            )
        student_feats: dict[str, list[Tensor]] = {}
        with self._recording('clean', student_feats):
            disps, feats = self.estimate_disps(seen[:, 0])
        return StepOutputs(
            target=frames[:, 0],
            sources=frames[:, 1:],
            source_ids=self.frame_ids[1:],
            **{name: extras.pop(name, None) for name in ('K', 'inv_K', 'draw_key')},
            T_source_target=self.estimate_poses(inputs),
            network_input=seen,
            disps=disps,
            feats=feats,
            depth_range=self.depth_range,
            kernels=form_of_kernels(self.kernels, frames.device.type),
            compiled=self.compiled,
            rerun=partial(self._extra_pass, current_autocast(frames.device.type), student_feats),
            student_feats=student_feats,
            extras=extras,
        )

    def _recording(self, name: str, student_feats: dict) -> AbstractContextManager:
        """While it is open, the distiller's taps on the student write to `student_feats[name]`."""
        if self.distiller is None:
            return nullcontext()
        return self.distiller.recording(self, name, student_feats)

    def _extra_pass(
        self,
        autocast: Callable[[], AbstractContextManager],
        student_feats: dict,
        image: Tensor,
        name: str,
    ) -> list[Tensor]:
        """Disparities of an image in [0, 1]; batch normalisation as at inference, autocast as in
        the first pass (the losses, which call this, run without)."""
        with autocast(), running_statistics(self), self._recording(name, student_feats):
            return self.estimate_disps(self.data_preprocessor.normalise(image))[0]

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[DepthDataSample] | None = None
    ) -> dict[str, Tensor]:
        """All losses by name with the prefix `loss_`, and notes without it."""
        given = data_samples[0].get('frame_ids', ()) if data_samples else ()
        if _sides(given) not in ([], _sides(self.frame_ids)):
            raise ValueError(
                f'the model expects the frames {list(self.frame_ids)}, the data has {given}: '
                'model.frame_ids and the dataset must agree in their order'
            )
        outputs = self.compute_outputs(inputs)
        if self.distiller is not None:
            self.distiller.run_teacher(outputs)
        with torch.autocast(inputs['frames'].device.type, enabled=False):
            for name, weight in self.pixel_weights.items():
                outputs.pixel_weights[name] = weight(outputs)
            losses = {f'loss_{name}': self._weighted(name, outputs) for name in self.losses}
            if self.distiller is not None:
                losses.update(self.distiller(outputs))
        return {**losses, **outputs.notes, **collapse_notes(outputs)}

    def _weighted(self, name: str, outputs: StepOutputs) -> Tensor:
        loss, strength = self.losses[name], self.loss_strengths.get(name, 1.0)
        if strength == 0:
            # all parameters take part at any strength, or DDP waits for their gradients
            return sum((0 * p.sum() for p in loss.parameters()), outputs.disps[0].new_zeros(()))
        value = loss(outputs)
        if name in self.loss_factors:
            return self.loss_factors[name] * value
        return value if strength == 1 else strength * value

    @torch.no_grad()
    def predict(
        self, inputs: dict[str, Tensor], data_samples: list[DepthDataSample]
    ) -> list[DepthDataSample]:
        """Write `pred_inv_depth` and `pred_depth` into the data samples."""
        image = inputs['network_input'][:, 0]
        disp = self.finest_disp(image)
        if self.flip_tta:
            disp = (disp + self.finest_disp(image.flip(-1)).flip(-1)) / 2
        inv_depth = 1 / disp_to_depth(disp, *self.depth_range)
        for sample, map_ in zip(data_samples, inv_depth, strict=True):
            full = F.interpolate(map_[None], tuple(sample.ori_shape), mode='bilinear')[0]
            sample.pred_inv_depth = PixelData(data=map_)
            sample.pred_depth = PixelData(data=1 / full)
        return data_samples


def _sides(frame_ids: Sequence[int | str]) -> list[bool | str]:
    """Whether the sources come after the target, or are its stereo partner."""
    return [f if isinstance(f, str) else f > 0 for f in frame_ids[1:]]


def _at_least_float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _build_named(configs: dict[str, dict | None], registry: Registry) -> nn.ModuleDict:
    return nn.ModuleDict({k: registry.build(cfg) for k, cfg in configs.items() if cfg})

"""From a checkpoint to an exported file that was compared with the model before it is written."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmscd.models.model_names import network_size
from mmscd.utils.files import atomic_write
from mmscd.version import __version__

from .depth_graph import DepthGraph, load_network
from .formats import SUFFIXES, ExportOptions, check_options, export, run_exported
from .parity import Frames, check_parity, read_frames

# relative; float16 has 11 bits of mantissa, and its error grows with the depth of the network
TOLERANCE, TOLERANCE_FP16 = 1e-4, 2e-2


def export_checkpoint(
    config: str,
    checkpoint: str,
    out: Path,
    kind: str,
    size: tuple[int, int] | None = None,
    half: bool = False,
    images: Sequence[str] | None = None,
    max_images: int | None = None,
    tolerance: float | None = None,
    cfg_options: dict[str, Any] | None = None,
    **options: Any,
) -> None:
    """Export, compare, write, and print what was found.

    Args:
        config, checkpoint, cfg_options: as of all tools.
        out: with the suffix of `kind`, one of `FORMATS`.
        size: (width, height) of the input; None: the config's.
        half: compute in float16.
        images, max_images: to compare at, files or folders; None: random ones, which say less.
        tolerance: largest relative difference of disparity and inverse depth; None: by precision.
        **options: of `ExportOptions`.

    Raises:
        OSError, ImportError, RuntimeError, ValueError: nothing was written, and why.
    """
    if out.suffix != SUFFIXES[kind]:
        raise ValueError(f'a file of {kind} ends in {SUFFIXES[kind]}, got {out}')
    cfg, model = load_network(config, checkpoint, cfg_options)
    graph = DepthGraph(model, half)
    chosen = ExportOptions(size or network_size(cfg), **options)
    check_options(graph, kind, chosen)
    sizes, (width, height), stride = [chosen.size], chosen.size, graph.stride
    if chosen.dynamic_size:  # also a smaller one of another shape
        sizes += [(max(2, width // stride // 2) * stride, (height // stride + 1) * stride)]
    # before the export: a wrong path should not cost a minute
    frames = [read_frames(images, each, max_images) for each in sizes]
    parts = f'{type(model.backbone).__name__} and {type(model.disp_head).__name__}'
    millions = sum(p.numel() for p in graph.parameters()) / 1e6
    print(f'graph: {parts}, {millions:.2f} M parameters; no pose net, no teacher')
    start = time.perf_counter()
    data = export(graph, kind, chosen, _describe(config, graph, chosen, half))
    print(f'exported to {kind} in {time.perf_counter() - start:.1f} s, {len(data) / 2**20:.1f} MiB')
    what = 'images' if images else 'random images (--images takes real ones)'
    tolerance = (TOLERANCE_FP16 if half else TOLERANCE) if tolerance is None else tolerance
    for part in frames:
        # an open batch is tried with two images as well as with one
        for batch in [1, 2] if chosen.dynamic_batch and part is frames[0] else [chosen.batch]:
            _compare(model, run_exported(kind, data), part, batch, what, tolerance)
    atomic_write(out, data)
    shape = 'height, width' if chosen.dynamic_size else f'{height}, {width}'
    images_per_call = 'batch' if chosen.dynamic_batch else chosen.batch
    print(f'wrote {out}: image ({images_per_call}, 3, {shape}) RGB in 0..1 -> inv_depth')


def _compare(
    model: Any, function: Callable, frames: Frames, batch: int, what: str, tolerance: float
) -> None:
    """Print the differences; ValueError where they exceed the tolerance."""
    parity = check_parity(model, function, frames, batch)
    height, width = frames[0][1].shape[:2]
    print(
        f'parity with PyTorch on {parity.images} {what}, {width}x{height}, batch {batch}: max '
        f'relative difference {parity.disp:.2e} (disparity), {parity.inv_depth:.2e} (inverse depth)'
    )
    if not parity.largest <= tolerance:
        where = f'{parity.largest:.2e} at {parity.worst or "all images"}, more than {tolerance:g}'
        raise ValueError(
            f'the exported file differs from the model by {where}: nothing was written. '
            '--tolerance allows more'
        )


def _describe(config: str, graph: DepthGraph, options: ExportOptions, half: bool) -> dict[str, str]:
    """What an ONNX file says about itself; `onnx_demo.py` reads it."""
    return dict(
        framework='mmscd',
        version=__version__,
        config=Path(config).stem,
        input='RGB in 0..1, float32, batch x 3 x height x width',
        output='inverse depth, batch x 1 x height x width',
        width=str(options.size[0]),
        height=str(options.size[1]),
        stride=str(graph.stride),
        min_depth=repr(graph.min_depth),
        max_depth=repr(graph.max_depth),
        depth_scale=repr(graph.depth_scale),
        precision='float16' if half else 'float32',
    )

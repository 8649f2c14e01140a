"""Latency and throughput of a depth network.

Timed is one call from images in [0, 1], already on the device, to inverse depth on the device:
normalisation, backbone, disparity head. After the warm-up every call is timed by itself, the device
synchronised before and after; engines take turns, so that other work on the machine strikes all.
"""

from __future__ import annotations

import platform
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmscd.models.loading import check_device
from mmscd.models.precision import fast_forms
from mmscd.utils.text_table import text_table

from .depth_graph import DepthGraph
from .formats import onnx_session

PERCENTILES = (50, 90, 95, 99)


@torch.inference_mode()
def benchmark(
    graph: DepthGraph,
    size: tuple[int, int],
    batches: Sequence[int] = (1, 8),
    warmup: int = 10,
    repeats: int = 100,
    device: str = 'cpu',
    onnx: Path | None = None,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Time a graph at (width, height) in PyTorch, as it is and in the forms that `precision='auto'`
    tries, and an ONNX file, if any, in onnxruntime: `repeats` calls per batch, after `warmup`
    untimed ones, one at least. Returns rows of `summarise`, one per engine and batch, with `change`
    (largest, of the disparity against the first engine), and a sentence for each batch that the
    file does not take. FileNotFoundError, ImportError: the file or onnxruntime is missing;
    ValueError: nothing would be timed, there is no such device, or the size does not fit."""
    if min(*batches, repeats) < 1:
        raise ValueError(f'--batch and --repeats must be at least 1, got {batches} and {repeats}')
    graph.check_size(size)
    place = check_device(device)
    cuda = place.type == 'cuda'
    torch.backends.cudnn.benchmark = True
    engines, refusals = _engines(graph.to(place), cuda, onnx)
    rows, notes = [], []
    wait = partial(torch.cuda.synchronize, place) if cuda else (lambda: None)
    for batch in batches:
        images = torch.rand(batch, 3, *size[::-1], device=place)
        found: dict[str, dict[str, Any]] = {}
        for engine, run in engines.items():
            if cuda:
                torch.cuda.reset_peak_memory_stats(place)
            try:
                disps = [graph.to_disp(run(images)).cpu() for _ in range(max(warmup, 1))]
            except refusals as error:
                shape = ' x '.join(map(str, images.shape))
                notes.append(f'{onnx} does not take {shape}: {str(error).splitlines()[0]}')
                continue
            found[engine] = dict(memory=_peak_memory(place), disp=disps[0])
        calls = {name: partial(engines[name], images) for name in found}
        seconds = time_calls(calls, wait, repeats)
        for engine, facts in found.items():
            change = (facts['disp'] - found['float32']['disp']).abs().max().item()
            row = summarise(seconds[engine], batch, facts['memory'])
            rows.append(dict(engine=engine, **row, change=change))
    return rows, notes


def _engines(
    graph: DepthGraph, cuda: bool, onnx: Path | None
) -> tuple[dict[str, Callable[[Tensor], Tensor]], tuple[type[Exception], ...]]:
    """From images to inverse depth, by name; and what a file raises on another shape."""
    engines: dict[str, Callable] = dict(float32=graph)
    for name, network in fast_forms(graph).items():
        engines[name] = partial(_predict, graph, network)
    if onnx is None:
        return engines, ()
    if not onnx.is_file():
        raise FileNotFoundError(f'--onnx: there is no file {onnx}')
    provider = 'CUDAExecutionProvider' if cuda else 'CPUExecutionProvider'
    engines['onnxruntime'] = onnx_session(str(onnx), [provider])
    from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

    return engines, (InvalidArgument,)


def _predict(graph: DepthGraph, network: Callable, images: Tensor) -> Tensor:
    return graph.low + (graph.high - graph.low) * network(graph.normalise(images))


def _peak_memory(place: torch.device) -> float:
    """Bytes."""
    if place.type == 'cuda':
        return torch.cuda.max_memory_allocated(place)
    # kibibytes, but bytes on a Mac
    unit = 1 if platform.system() == 'Darwin' else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def time_calls(
    calls: Mapping[str, Callable[[], object]], synchronise: Callable[[], object], repeats: int
) -> dict[str, list[float]]:
    """Seconds of every call by name; the calls take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            synchronise()
            start = time.perf_counter()
            call()
            synchronise()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def summarise(seconds: Sequence[float], batch: int, memory: float) -> dict[str, float]:
    """Numbers of one row, of the seconds per call. `memory` in bytes: on CUDA the peak of what
    PyTorch allocated, on a CPU the peak of the process so far, libraries included."""
    milliseconds = np.asarray(seconds) * 1000
    row = dict(batch=batch, images_per_second=batch * len(seconds) / float(np.sum(seconds)))
    row.update({f'p{p}_ms': float(np.percentile(milliseconds, p)) for p in PERCENTILES})
    return dict(row, mean_ms=float(milliseconds.mean()), memory_mib=memory / 2**20)


def timing_table(rows: Sequence[dict[str, Any]]) -> str:
    """A line per engine and batch; `x`: how often the first engine's median."""
    times = ['mean', *(f'p{p}' for p in PERCENTILES)]
    lines = [['engine', 'batch', 'images/s', 'x', *times, 'peak MiB', 'disparity within']]
    first = {row['batch']: row['p50_ms'] for row in reversed(rows)}
    for row in rows:
        numbers = (f'{row[f"{name}_ms"]:.2f} ms' for name in times)
        head = [row['engine'], str(row['batch']), f'{row["images_per_second"]:.1f}']
        head.append(f'{first[row["batch"]] / row["p50_ms"]:.2f}')
        lines.append([*head, *numbers, f'{row["memory_mib"]:.0f}', f'{row["change"]:.0e}'])
    return text_table(lines)


def describe_machine(device: str) -> str:
    """What times belong to: the processor, its threads, and PyTorch."""
    if device.startswith('cuda'):
        name = torch.cuda.get_device_name(torch.device(device))
    else:
        cpu = Path('/proc/cpuinfo')
        lines = cpu.read_text().splitlines() if cpu.is_file() else []
        names = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
        name = f'{names[0] if names else platform.processor()}, {torch.get_num_threads()} threads'
    return f'{name}, torch {torch.__version__}'

"""Latency and throughput of a depth network.

Timed is one call from images in [0, 1], already on the device, to inverse depth on the device:
normalisation, backbone, disparity head. After the warm-up every call is timed by itself, the device
synchronised before and after.
"""

from __future__ import annotations

import itertools
import platform
import resource
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmscd.models.loading import check_device
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
    channels_last: bool = False,
    onnx: Path | None = None,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Time a graph at (width, height) in PyTorch, and an ONNX file, if any, in onnxruntime:
    `repeats` calls per batch, after `warmup` untimed ones. `channels_last` is the order of
    PyTorch's weights and images. Returns rows of `summarise`, one per engine and batch, and a
    sentence for each batch that the file does not take. FileNotFoundError, ImportError: the file or
    onnxruntime is missing; ValueError: nothing would be timed, there is no such device, or the size
    does not fit."""
    if min(*batches, repeats) < 1:
        raise ValueError(f'--batch and --repeats must be at least 1, got {batches} and {repeats}')
    graph.check_size(size)
    place = check_device(device)
    cuda = place.type == 'cuda'
    layout = torch.channels_last if channels_last else torch.contiguous_format
    torch.backends.cudnn.benchmark = True
    engines: dict[str, Callable] = dict(PyTorch=graph.to(device=place, memory_format=layout))
    refusals: tuple[type[Exception], ...] = ()
    if onnx is not None:
        if not onnx.is_file():
            raise FileNotFoundError(f'--onnx: there is no file {onnx}')
        provider = 'CUDAExecutionProvider' if cuda else 'CPUExecutionProvider'
        engines['onnxruntime'] = onnx_session(str(onnx), [provider])
        from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

        refusals = (InvalidArgument,)  # of another shape
    rows, notes = [], []
    for (engine, run), batch in itertools.product(engines.items(), batches):
        images = torch.rand(batch, 3, *size[::-1]).to(place, memory_format=layout)
        wait = partial(torch.cuda.synchronize, place) if cuda else (lambda: None)
        if cuda:
            torch.cuda.reset_peak_memory_stats(place)
        try:
            seconds = time_calls(partial(run, images), wait, warmup, repeats)
        except refusals as error:
            shape = ' x '.join(map(str, images.shape))
            notes.append(f'{onnx} does not take {shape}: {str(error).splitlines()[0]}')
            continue
        # kibibytes, but bytes on a Mac
        unit = 1 if platform.system() == 'Darwin' else 1024
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        if cuda and engine == 'PyTorch':
            memory = torch.cuda.max_memory_allocated(place)
        rows.append(dict(engine=engine, **summarise(seconds, batch, memory)))
    return rows, notes


def time_calls(
    call: Callable[[], object], synchronise: Callable[[], object], warmup: int, repeats: int
) -> list[float]:
    """Seconds of every timed call."""
    for _ in range(warmup):
        call()
    seconds = []
    for _ in range(repeats):
        synchronise()
        start = time.perf_counter()
        call()
        synchronise()
        seconds.append(time.perf_counter() - start)
    return seconds


def summarise(seconds: Sequence[float], batch: int, memory: float) -> dict[str, float]:
    """Numbers of one row, of the seconds per call. `memory` in bytes: on CUDA the peak of what
    PyTorch allocated, on a CPU the peak of the process so far, libraries included."""
    milliseconds = np.asarray(seconds) * 1000
    row = dict(batch=batch, images_per_second=batch * len(seconds) / float(np.sum(seconds)))
    row.update({f'p{p}_ms': float(np.percentile(milliseconds, p)) for p in PERCENTILES})
    return dict(row, mean_ms=float(milliseconds.mean()), memory_mib=memory / 2**20)


def timing_table(rows: Sequence[dict[str, Any]]) -> str:
    """A line per engine and batch."""
    times = ['mean', *(f'p{p}' for p in PERCENTILES)]
    lines = [['engine', 'batch', 'images/s', *times, 'peak MiB']]
    for row in rows:
        numbers = (f'{row[f"{name}_ms"]:.2f} ms' for name in times)
        head = [row['engine'], str(row['batch']), f'{row["images_per_second"]:.1f}']
        lines.append([*head, *numbers, f'{row["memory_mib"]:.0f}'])
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

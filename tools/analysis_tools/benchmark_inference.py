"""Latency and throughput of the depth network: batch 1 and 8 by default.

Example: python tools/analysis_tools/benchmark_inference.py CONFIG [CHECKPOINT] --device cuda --fp16
         python tools/analysis_tools/benchmark_inference.py CONFIG --onnx depth.onnx

Timed is one call from images in [0, 1], already on the device, to inverse depth on the device:
normalisation, backbone, disparity head. Reading and resizing of images are not in it. After the
warm-up every call is timed by itself, the device synchronised before and after. Weights do not
change the time, so no checkpoint is needed. Memory: on CUDA the peak of what PyTorch allocated, on
a CPU the peak of the process so far, libraries included.
"""

from __future__ import annotations

import argparse
import platform
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmscd.utils.command_line import parse_size

PERCENTILES = (50, 90, 95, 99)


def positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected a whole number above 0, got {text!r}')
    return int(text)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='path, or package::path')
    parser.add_argument('checkpoint', nargs='?', help='default: random weights')
    parser.add_argument('--size', type=parse_size, help="e.g. 640x192; default: the config's")
    parser.add_argument('--batch', type=positive, nargs='+', default=[1, 8], help='default: 1 8')
    parser.add_argument('--warmup', type=int, default=10, help='untimed calls (default 10)')
    parser.add_argument('--repeats', type=positive, default=100, help='timed calls (default 100)')
    parser.add_argument('--device', default='cpu', help='cpu (default), cuda, cuda:1, ...')
    parser.add_argument('--threads', type=positive, help='of torch and onnxruntime on a CPU')
    parser.add_argument('--fp16', action='store_true', help='weights and arithmetic in float16')
    parser.add_argument('--channels-last', action='store_true', help='NHWC order')
    parser.add_argument('--onnx', type=Path, help='time this file in onnxruntime too')
    parser.add_argument('--out', type=Path, help='write the numbers to this json file')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value overrides')
    return parser.parse_args(argv)


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
    """Numbers of one row.

    Args:
        seconds: per call.
        batch: images per call.
        memory: bytes.
    """
    import numpy as np

    milliseconds = np.asarray(seconds) * 1000
    row = dict(batch=batch, images_per_second=batch * len(seconds) / float(np.sum(seconds)))
    row.update({f'p{p}_ms': float(np.percentile(milliseconds, p)) for p in PERCENTILES})
    return dict(row, mean_ms=float(milliseconds.mean()), memory_mib=memory / 2**20)


def measure_torch(args: argparse.Namespace, graph: Any, size: tuple[int, int]) -> list[dict]:
    """Rows of PyTorch."""
    import torch

    device = torch.device(args.device)
    cuda = device.type == 'cuda'
    layout = torch.channels_last if args.channels_last else torch.contiguous_format
    graph = graph.to(device=device, memory_format=layout)
    torch.backends.cudnn.benchmark = True
    rows = []
    for batch in args.batch:
        images = torch.rand(batch, 3, size[1], size[0], device=device)
        images = images.contiguous(memory_format=layout)
        if cuda:
            torch.cuda.reset_peak_memory_stats(device)
        with torch.inference_mode():
            seconds = time_calls(
                lambda images=images: graph(images),
                (lambda: torch.cuda.synchronize(device)) if cuda else (lambda: None),
                args.warmup,
                args.repeats,
            )
        memory = torch.cuda.max_memory_allocated(device) if cuda else peak_memory()
        rows.append(dict(engine='PyTorch', **summarise(seconds, batch, memory)))
    return rows


def measure_onnx(args: argparse.Namespace, size: tuple[int, int]) -> list[dict]:
    """Rows of onnxruntime; batches that the file does not take are left out with a word."""
    import torch

    from mmscd.deployment.formats import onnx_session

    provider = 'CUDAExecutionProvider' if args.device.startswith('cuda') else 'CPUExecutionProvider'
    run = onnx_session(str(args.onnx), [provider])
    rows = []
    for batch in args.batch:
        images = torch.rand(batch, 3, size[1], size[0])
        try:
            run(images)
        except Exception as error:  # onnxruntime's errors share no other base
            print(f'{args.onnx} does not take {batch} x 3 x {size[1]} x {size[0]}: '
                  f'{str(error).splitlines()[0]}')  # fmt: skip
            continue
        seconds = time_calls(
            lambda images=images: run(images), lambda: None, args.warmup, args.repeats
        )
        rows.append(dict(engine='onnxruntime', **summarise(seconds, batch, peak_memory())))
    return rows


def peak_memory() -> int:
    """Largest resident size of this process so far, bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == 'Darwin' else peak * 1024


def describe_machine(args: argparse.Namespace) -> str:
    """What the numbers belong to."""
    import torch

    if args.device.startswith('cuda'):
        name = torch.cuda.get_device_name(torch.device(args.device))
    else:
        cpu = Path('/proc/cpuinfo')
        lines = cpu.read_text().splitlines() if cpu.is_file() else []
        names = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
        name = f'{names[0] if names else platform.processor()}, {torch.get_num_threads()} threads'
    return f'{name}, torch {torch.__version__}'


def print_table(rows: list[dict]) -> None:
    """A line per engine and batch."""
    from terminaltables import AsciiTable

    heads = ['engine', 'batch', 'images/s', 'mean', *(f'p{p}' for p in PERCENTILES), 'peak MiB']
    table = [heads]
    for row in rows:
        times = [row['mean_ms'], *(row[f'p{p}_ms'] for p in PERCENTILES)]
        table.append(
            [row['engine'], row['batch'], f'{row["images_per_second"]:.1f}',
             *(f'{t:.2f} ms' for t in times), f'{row["memory_mib"]:.0f}']
        )  # fmt: skip
    print(AsciiTable(table).table)


def run(args: argparse.Namespace) -> None:
    """Measure, print, write."""
    import torch

    from mmscd.deployment import DepthGraph, load_network, network_size
    from mmscd.utils.files import write_json

    if args.device.startswith('cuda') and not torch.cuda.is_available():
        raise ValueError(f'--device {args.device}: this machine has no CUDA; use --device cpu')
    if args.onnx and not args.onnx.is_file():
        raise FileNotFoundError(f'--onnx: there is no file {args.onnx}')
    if args.threads:
        torch.set_num_threads(args.threads)
    cfg, model = load_network(args.config, args.checkpoint, args.cfg_options)
    size = args.size or network_size(cfg)
    graph = DepthGraph(model, half=args.fp16)
    graph.check_size(size)
    machine = describe_machine(args)
    precision = 'float16' if args.fp16 else 'float32'
    print(f'{Path(args.config).stem}, {size[0]}x{size[1]}, {precision}, {machine}')
    print(f'{args.warmup} calls to warm up, {args.repeats} timed one by one')
    rows = measure_torch(args, graph, size)
    if args.onnx:
        rows += measure_onnx(args, size)
    print_table(rows)
    if args.out:
        content = dict(config=args.config, width=size[0], height=size[1], precision=precision)
        content.update(machine=machine, repeats=args.repeats, rows=rows)
        write_json(args.out, content)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure; one sentence and exit code 1 where it cannot be done."""
    args = parse_args(argv)
    try:
        run(args)
    except (ValueError, OSError, ImportError) as error:
        raise SystemExit(f'benchmark_inference: {error}') from error


if __name__ == '__main__':
    main()

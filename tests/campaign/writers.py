"""Every tool that writes: an input, and the call that writes to a place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from readers import call
from readers_of_cameras import CONVERTERS, own_video
from readers_of_results import FEW, TOOLS, robustness_free
from readers_of_weights import exported, resnet
from tiny import make_kitti

RENDER = '--size 64x32 --train-scenes 1 --frames 3 --eval-scenes 1 --eval-frames 3'.split()


@dataclass(frozen=True)
class Writer:
    """`make` writes an input into a folder, `write(folder, out)` makes `out` of it."""

    make: Callable[[Path], Any]
    write: Callable[[Path, Path], Any]
    goes_on: bool = True  # the same command completes what was interrupted


def _kitti(folder: Path) -> None:
    make_kitti(folder / 'kitti', 12)


def _frames(folder: Path, out: Path) -> Any:
    words = ('--hfov', 60, '--stride', 1, '--no-lint', '--out', out)
    return call(f'{CONVERTERS}/from_video.py', folder / 'film.avi', *words)


def _kitti_c(folder: Path, out: Path) -> Any:
    words = ('--data-root', folder / 'kitti', '--split', folder / 'kitti/train.txt')
    words += ('--size', '96x64', '--corruptions', 'fog', 'contrast', '--severities', 1, 3)
    return call(f'{CONVERTERS}/make_kitti_c.py', *words, '--workers', 2, '--out', out)


def _cache(folder: Path, out: Path) -> Any:
    words = ('--data-root', folder / 'kitti', '--split', folder / 'kitti/train.txt')
    words += ('--size', '64x32', '--workers', 2, '--out', out)
    return call(f'{CONVERTERS}/prepare_kitti_raw.py', 'cache', *words)


def _truth(folder: Path, out: Path) -> Any:
    words = ('--data-root', folder / 'kitti', '--split', folder / 'kitti/train.txt')
    return call(f'{CONVERTERS}/prepare_kitti_raw.py', 'export-gt', *words, '--out', out / 'gt.npz')


def _render(folder: Path, out: Path) -> Any:
    return call('projects/demo_world/render.py', *RENDER, '--workers', 2, '--out', out)


def _robustness(folder: Path, out: Path) -> Any:
    words = (folder / 'tiny.py', folder / 'm.pth', '--out', out, *FEW)
    return call(f'{TOOLS}/test_robustness.py', *words)


def _test(folder: Path, out: Path) -> Any:
    words = (folder / 'tiny.py', folder / 'm.pth', '--work-dir', folder / 'log')
    return call('tools/test.py', *words, '--out', out / 'x.json', '--show-dir', out / 'show')


def _train(folder: Path, out: Path) -> Any:
    return call('tools/train.py', folder / 'tiny.py', '--work-dir', out)


def _report(folder: Path, out: Path) -> Any:
    words = ('--config', folder / 'tiny.py', '--checkpoint', folder / 'm.pth')
    words += ('--work-dir', folder, '--out', out / 'x.html')
    return call(f'{TOOLS}/make_report.py', *words)


def _publish(folder: Path, out: Path) -> Any:
    return call('tools/misc/publish_model.py', folder / 'm.pth', out / 'p.pth')


def _convert(folder: Path, out: Path) -> Any:
    return call('tools/model_converters/to_mmscd.py', folder / 'x.pth', out / 'x.pth')


def _predict(folder: Path, out: Path) -> Any:
    words = ('--model', folder / 'tiny.py', '--weights', folder / 'x.pth', '--device', 'cpu')
    return call('demo/image_demo.py', folder / 'x.png', *words, '--out-dir', out)


def _onnx(folder: Path, out: Path) -> Any:
    words = (folder / 'm.onnx', folder / 'x.png', '--out', out)
    return call('tools/deployment/onnx_demo.py', *words)


def _export(folder: Path, out: Path) -> Any:
    words = (folder / 'tiny.py', folder / 'x.pth', out / 'm.onnx')
    return call('tools/deployment/export_onnx.py', *words)


WRITERS = {
    'from_video': Writer(own_video, _frames),
    'make_kitti_c': Writer(_kitti, _kitti_c),
    'cache': Writer(_kitti, _cache),
    'export-gt': Writer(_kitti, _truth),
    'render': Writer(lambda folder: None, _render),
    'test_robustness': Writer(robustness_free, _robustness),
    'publish': Writer(robustness_free, _publish),
    'test': Writer(robustness_free, _test, False),
    'train': Writer(robustness_free, _train, False),
    'make_report': Writer(robustness_free, _report, False),
    'to_mmscd': Writer(resnet, _convert, False),
    'image_demo': Writer(exported, _predict, False),
    'onnx_demo': Writer(exported, _onnx, False),
    'export_onnx': Writer(exported, _export, False),
}

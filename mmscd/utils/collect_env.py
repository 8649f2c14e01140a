"""What a bug report needs to know about the machine: `python -m mmscd.utils.collect_env`."""

from __future__ import annotations

import importlib
import subprocess
import sys
from functools import partial
from importlib import metadata
from pathlib import Path

from mmscd.version import __version__

# import name -> distributions that may bring it
PACKAGES = dict(
    mmengine=('onedl-mmengine', 'mmengine', 'mmengine-lite'),
    mmcv=('onedl-mmcv', 'mmcv', 'mmcv-lite'),
    mmseg=('onedl-mmsegmentation', 'mmsegmentation'),
    numpy=('numpy',),
    cv2=('opencv-python', 'opencv-python-headless', 'opencv-contrib-python'),
    onnx=('onnx',),
    onnxruntime=('onnxruntime', 'onnxruntime-gpu'),
    onnxscript=('onnxscript',),
    onnxslim=('onnxslim',),
    tensorboard=('tensorboard',),
)

# mmengine's lines that say the same again, or nothing
UNWANTED = ('MMEngine', 'OpenCV', 'numpy_random_seed', 'MUSA available')


def collect_env() -> dict[str, str]:
    """Name -> version or description of Python, PyTorch, CUDA, compilers and of the packages that
    mmscd works with; two distributions of one package over each other, which breaks it, are
    told."""
    env: dict[str, str] = {}
    try:
        from mmengine.utils.dl_utils import collect_env as collect_base

        env.update({key: str(value).strip() for key, value in collect_base().items()})
    except ImportError as error:
        env['Python'] = sys.version.replace('\n', ' ')
        env['environment of mmengine'] = f'cannot be collected: {error}'
    for name in UNWANTED:
        env.pop(name, None)
    env.update({name: describe_package(name) for name in PACKAGES})
    env['mmscd'] = f'{__version__}{_revision()}'
    return env


def describe_package(name: str) -> str:
    """Version and distribution of an importable package, a key of `PACKAGES`."""
    found = []
    for distribution in PACKAGES[name]:
        try:
            found.append(f'{distribution} {metadata.version(distribution)}')
        except metadata.PackageNotFoundError:
            continue
    if not found:
        return 'not installed'
    text = ', '.join(found)
    if len(found) > 1:
        text += ' (two distributions in one folder: uninstall both, then install one)'
    try:
        importlib.import_module(name)
    except Exception as error:  # a broken package may raise anything
        text += f' (cannot be imported: {type(error).__name__}: {error})'
    return text


def _revision() -> str:
    """`+<commit>` and `, changed` where mmscd runs from a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / '.git').exists():
        return ''
    ask = partial(
        subprocess.check_output, cwd=root, text=True, stderr=subprocess.DEVNULL, timeout=20
    )
    try:
        commit = ask(['git', 'rev-parse', '--short=8', 'HEAD']).strip()
        changed = ask(['git', 'status', '--porcelain', '--untracked-files=no']).strip()
    except (OSError, subprocess.SubprocessError):
        return ''
    return f'+{commit}{" (changed)" if changed else ""}'


if __name__ == '__main__':
    print(*(f'{name}: {value}' for name, value in collect_env().items()), sep='\n')

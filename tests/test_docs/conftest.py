"""A wheel, built once."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns('__pycache__', '.mim')


@pytest.fixture(scope='session')
def wheel(tmp_path_factory):
    """A wheel built from a copy of the tree, as `pip wheel .` does."""
    folder = tmp_path_factory.mktemp('wheel')
    tree = folder / 'tree'
    tree.mkdir()
    for name in ('mmscd', 'configs', 'tools', 'requirements'):
        shutil.copytree(ROOT / name, tree / name, ignore=LEFT_OUT)
    for name in ('setup.py', 'pyproject.toml', 'README.md', 'LICENSE', 'model-index.yml'):
        shutil.copy(ROOT / name, tree / name)
    command = ('-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation', '-w', str(folder))
    done = subprocess.run(
        [sys.executable, *command, str(tree)], capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert not (tree / 'mmscd' / '.mim').exists(), 'a build must leave the source tree alone'
    return next(folder.glob('*.whl'))

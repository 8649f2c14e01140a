"""What users may rely on is named, exists, and is little."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import mmscd

ROOT = Path(mmscd.__file__).resolve().parent
ROOMS = sorted(
    '.'.join(('mmscd', *path.parent.relative_to(ROOT).parts))
    for path in ROOT.rglob('__init__.py')
    if '.mim' not in path.parts
)


@pytest.mark.parametrize('room', ROOMS)
def test_every_room_says_what_users_may_rely_on(room):
    module = importlib.import_module(room)
    assert module.__doc__ and isinstance(module.__all__, list)
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        thing = getattr(module, name)
        assert not name.startswith('_') or name == '__version__'
        assert getattr(thing, '__doc__', None), f'{room}.{name} has no docstring'


def test_layers_hold():
    """`.ci/run` calls the same: whoever changes an import sees it with the tests too."""
    done = subprocess.run(
        [Path(sys.executable).with_name('lint-imports'), '--no-logo', '--no-cache'],
        cwd=ROOT.parent, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]

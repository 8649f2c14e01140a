"""What a bug report gets."""

import subprocess
import sys
from importlib import metadata

import torch

import mmscd
from mmscd.utils import collect_env


def test_command_line():
    command = [sys.executable, '-m', 'mmscd.utils.collect_env']
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = dict(line.split(': ', 1) for line in done.stdout.splitlines() if ': ' in line)
    assert lines['PyTorch'] == torch.__version__
    assert lines['Python'].startswith(sys.version.split()[0])
    assert lines['mmscd'].startswith(mmscd.__version__)
    assert metadata.version('numpy') in lines['numpy']
    assert not {'numpy_random_seed', 'OpenCV'} & set(lines)


def test_absent_double_and_broken_packages(monkeypatch):
    packages = dict(nothing=('no-such-thing',), numpy=('numpy', 'pytest'), broken=('torch',))
    monkeypatch.setattr(collect_env, 'PACKAGES', packages)
    assert collect_env.describe_package('nothing') == 'not installed'
    assert 'two distributions in one folder' in collect_env.describe_package('numpy')
    assert 'cannot be imported: ModuleNotFoundError' in collect_env.describe_package('broken')

"""The benchmark runs, and both of its losses are the same function."""

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis_tools' / 'benchmark_training.py'


def run(*options):
    command = [sys.executable, str(TOOL), '--size', '64x32', '--repeats', '1', *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_losses_agree_and_both_ratios_are_printed(tmp_path):
    pytest.importorskip('PIL')
    rng = np.random.default_rng(0)
    for i in range(3):
        small = rng.integers(0, 256, (12, 30, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f'{i}.jpg'), cv2.resize(small, (150, 60)))
    done = run('--batch', '2', '--images', str(tmp_path), '--threads', '1')
    assert done.returncode == 0, done.stderr
    exact = re.search(r'float64.* eager (\S+), mmscd (\S+); gradients differ by (\S+)', done.stdout)
    assert exact[1] == exact[2] and float(exact[3]) < 1e-9
    single = re.search(r'float32: eager (\S+), mmscd (\S+);', done.stdout)
    assert float(single[1]) == pytest.approx(float(single[2]), rel=1e-5)
    assert 'batch 2, 64x32, 2 sources, 4 scales' in done.stdout
    for pair in ('eager / mmscd', 'PIL / mmscd'):
        ratios = re.search(rf'  {pair}: median (\S+), min (\S+)', done.stdout)
        assert float(ratios[1]) >= float(ratios[2]) > 0
    assert '150x60 .jpg to 64x32' in done.stdout


def test_missing_images_are_explained(tmp_path):
    done = run('--part', 'loader', '--images', str(tmp_path))
    assert done.returncode != 0
    assert f'found none in {tmp_path}; name a folder of frames with --images' in done.stderr

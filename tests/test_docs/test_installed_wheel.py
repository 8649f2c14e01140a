"""An installed wheel infers by model name, away from the checkout."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

CODE = """
import sys
import mmscd
from mmscd import DepthInferencer
from mmscd.models.model_names import resolve_model

inferencer = DepthInferencer('scd_r18_kitti', weights=sys.argv[1], device='cpu')
inferencer(sys.argv[2], out_dir='out', save=['color', 'npy'])
print(mmscd.__file__, resolve_model('scd_r18_kitti').filename)
"""


@pytest.fixture(scope='module')
def python(wheel, tmp_path_factory):
    """The interpreter of a fresh environment that holds the wheel.

    Its dependencies are those of the environment at hand, by a .pth file: its lines only become
    entries of sys.path, so what is installed there in editable mode stays out.
    """
    folder = tmp_path_factory.mktemp('environment')
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', str(folder)], check=True)
    scripts = folder / ('Scripts' if os.name == 'nt' else 'bin')
    found = next(scripts.glob('python*'))
    ask = 'import sysconfig; print(sysconfig.get_path("purelib"))'
    site = subprocess.run([str(found), '-c', ask], capture_output=True, text=True, check=True)
    site = site.stdout.strip()
    options = ('-q', '--no-deps', '--no-index', '--no-compile', '--target', site)
    command = [sys.executable, '-m', 'pip', 'install', *options, str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    others = [p for p in sys.path if p.rstrip('/').endswith(('site-packages', 'dist-packages'))]
    with open(os.path.join(site, 'dependencies.pth'), 'w') as stream:
        stream.write('\n'.join(others) + '\n')
    return folder, found


@pytest.mark.slow
def test_inference_by_name(python, tmp_path):
    from mmscd import DepthInferencer, init_model

    torch.manual_seed(0)
    model = init_model('scd_r18_kitti', 'random', 'cpu')
    torch.save(dict(state_dict=model.state_dict(), meta={}), tmp_path / 'scd.pth')
    noise = np.random.default_rng(0).integers(0, 255, (120, 320, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'street.png'), cv2.GaussianBlur(noise, (0, 0), 5))
    folder, interpreter = python
    away = tmp_path / 'away'
    away.mkdir()
    # neither the checkout nor a path that the tests were given
    environment = {k: v for k, v in os.environ.items() if not k.startswith('PYTHON')}
    files = (tmp_path / 'scd.pth', tmp_path / 'street.png')
    done = subprocess.run(
        [str(interpreter), '-c', CODE, *map(str, files)],
        capture_output=True, text=True, cwd=away, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    code, config = done.stdout.split()[-2:]
    assert code.startswith(str(folder)) and config.startswith(str(folder))
    assert '.mim' in config and config.endswith('scd_r18_kitti.py')
    (found,) = away.glob('out/**/*.npy')
    inferencer = DepthInferencer('scd_r18_kitti', tmp_path / 'scd.pth', 'cpu', show_progress=False)
    expected = inferencer(str(tmp_path / 'street.png'))['predictions'][0]['pred_depth']
    assert expected.shape == (120, 320)
    assert np.load(found) == pytest.approx(expected, rel=1e-5)
    assert cv2.imread(str(next(away.glob('out/**/*.png')))) is not None

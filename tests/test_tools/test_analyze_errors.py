"""analyze_errors on its command line: numbers of the metric, worst first, classes from files."""

import csv
import importlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmscd.evaluation import evaluate_depth, get_protocol
from mmscd.registry import MODELS
from mmscd.utils.config import load_config

TOOLS = Path(__file__).parents[2] / 'tools' / 'analysis_tools'


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module('analyze_errors')


@pytest.fixture(scope='module')
def weights(tiny_config, tmp_path_factory):
    torch.manual_seed(0)
    model = MODELS.build(load_config(str(tiny_config)).model)
    path = tmp_path_factory.mktemp('weights') / 'iter_1.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


@pytest.fixture(scope='module')
def judged(tiny_config, weights, tiny_kitti):
    """abs_rel of the five test images, by the public way."""
    from mmscd import DepthInferencer
    from mmscd.datasets.formats.images import read_depth_png

    inferencer = DepthInferencer(str(tiny_config), weights, 'cpu', show_progress=False)
    drive = tiny_kitti / '2011_09_26/2011_09_26_drive_0001_sync'
    found = {}
    for i in range(5):
        path = drive / f'image_02/data/{i:010d}.png'
        gt = read_depth_png(drive / f'proj_depth/groundtruth/image_02/{i:010d}.png')
        depth = inferencer(str(path))['predictions'][0]['pred_depth']
        found[str(path)] = evaluate_depth(depth, gt, get_protocol('default'))['abs_rel']
    return found


def read(path):
    with open(path) as stream:
        return list(csv.DictReader(stream))


def test_worst_first_and_by_distance(tool, tiny_config, weights, judged, tmp_path, capsys):
    options = ['--worst', '3', '--panel-width', '240', '--distances', '0', '5', '9', '80']
    tool.main([str(tiny_config), str(weights), '--out', str(tmp_path), *options])
    images = read(tmp_path / 'images.csv')
    expected = sorted(judged, key=judged.get, reverse=True)
    assert [row['img_path'] for row in images] == expected
    for row in images:
        assert float(row['abs_rel']) == pytest.approx(judged[row['img_path']], rel=1e-3)
    sheet = cv2.imread(str(tmp_path / 'worst.png'))
    assert sheet.shape == (3 * (24 + 120) + 8, 3 * 240 + 8, 3)
    cells = read(tmp_path / 'errors.csv')
    assert [(row['class'], row['distance']) for row in cells] == [
        ('all', 'all'), ('all', '0-5 m'), ('all', '5-9 m'), ('all', '9-80 m'),
    ]  # fmt: skip
    # the images have equally many pixels, so the mean over pixels is the mean over images
    mean = np.mean(list(judged.values()))
    assert float(cells[0]['abs_rel']) == pytest.approx(mean, rel=1e-3)
    shares = [float(row['share']) for row in cells[1:]]
    assert sum(shares) == pytest.approx(1)
    # of the wall's 80 rows, 40 are at 10 m, then depth falls evenly to 4 m
    near = (np.linspace(10, 4, 40) < 5).sum() / 80
    assert shares[0] == pytest.approx(near)
    printed = capsys.readouterr().out
    assert '| 0-5 m' in printed and 'mean per image: abs_rel' in printed
    assert cv2.imread(str(tmp_path / 'errors.png')) is not None


def test_classes_of_label_images(tool, tiny_config, tiny_kitti, weights, tmp_path, capsys):
    labels = tmp_path / 'labels/image_02/data'
    labels.mkdir(parents=True)
    upper = np.full((40, 80), 2, np.uint8)  # half the size
    upper[20:] = 0
    upper[:, :40] = 255
    for i in range(5):
        cv2.imwrite(str(labels / f'{i:010d}_ids.png'), upper)
    tool.main([
        str(tiny_config), str(weights), '--out', str(tmp_path / 'out'), '--max-images', '2',
        '--labels', str(tmp_path / 'labels'), '--label-suffix', '_ids',
    ])  # fmt: skip
    shares = {row['class']: float(row['share']) for row in read(tmp_path / 'out/errors.csv')
              if row['distance'] == 'all'}  # fmt: skip
    assert shares == pytest.approx({'all': 1, 'road': 0.25, 'building': 0.25, 'no class': 0.5})
    assert 'class, worst first' in capsys.readouterr().out
    (labels / '0000000000_ids.png').unlink()
    with pytest.raises(SystemExit, match='no label for .*0000000000.png'):
        tool.main([str(tiny_config), str(weights), '--labels', str(tmp_path / 'labels'),
                   '--label-suffix', '_ids'])  # fmt: skip


def test_bad_options(tool, tiny_config, weights, tmp_path):
    for option, message in ((('--worst', '0'), 'at least 1'), (('--panel-width', '9'), '240')):
        with pytest.raises(SystemExit, match=message):
            tool.main([str(tiny_config), 'y.pth', *option])
    with pytest.raises(SystemExit, match='error: .*nowhere.pth does not exist'):
        tool.main([str(tiny_config), str(tmp_path / 'nowhere.pth')])

"""eval_pose and eval_temporal on a tiny sequence in KITTI odometry's layout."""

import importlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mmscd.datasets.kitti_odometry import read_poses
from mmscd.evaluation.sequences import VideoRunner, read_sequences
from mmscd.evaluation.trajectory import accumulate, format_kitti_poses, snippet_errors

TOOLS = Path(__file__).parents[2] / 'tools' / 'analysis_tools'
P = '90 0 79.5 0 0 90 39.5 0 0 0 1 0'


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return lambda name: importlib.import_module(name)


@pytest.fixture(scope='module')
def odometry(tiny_kitti, tmp_path_factory):
    """Seven frames of the sliding wall: the camera moves 0.5 m to the right per frame."""
    root = tmp_path_factory.mktemp('odometry')
    folder = root / 'sequences' / '00'
    images = next(tiny_kitti.glob('*/*/image_02/data'))
    (folder / 'image_2').mkdir(parents=True)
    (root / 'poses').mkdir()
    for i in range(7):
        shutil.copy(images / f'{i:010d}.png', folder / 'image_2' / f'{i:06d}.png')
    (folder / 'calib.txt').write_text(f'P2: {P}\nP3: {P}\n')
    motions = np.tile(np.eye(4), (6, 1, 1))
    motions[:, 0, 3] = -0.5
    (root / 'poses' / '00.txt').write_text(format_kitti_poses(accumulate(motions)))
    return folder


@pytest.fixture(scope='module')
def checkpoint(tiny_config, tmp_path_factory):
    from mmengine.registry import init_default_scope

    from mmscd.registry import MODELS
    from mmscd.utils.config import load_config

    init_default_scope('mmscd')
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'tiny.pth'
    torch.save(
        dict(state_dict=MODELS.build(load_config(str(tiny_config)).model).state_dict()), path
    )
    return path


def test_pose_tool_writes_what_the_network_says(tool, odometry, checkpoint, tiny_config, tmp_path):
    arguments = [str(tiny_config), str(checkpoint), '--sequence', str(odometry)]
    tool('eval_pose').main([*arguments, '--out', str(tmp_path), '--batch-size', '4'])
    content = json.loads((tmp_path / 'pose.json').read_text())
    gt = read_poses(odometry.parents[1] / 'poses' / '00.txt')
    pred = read_poses(tmp_path / '00.txt')
    # 90 px * 0.5 m / 10 m is about the 5 px that the wall slides
    assert pred.shape == gt.shape == (7, 4, 4)
    assert content['summary']['ate5_mean'] == pytest.approx(snippet_errors(pred, gt).mean(), 1e-6)
    still = content['sequences']['00']['identity (stands still)']
    assert still['ate5_mean'] == pytest.approx(0.5 * 30**0.5 / 5)
    from mmscd.visualization import read_image

    assert read_image(tmp_path / '00.png').shape[1] == 2 * 1200

    # the batches change nothing, and the poses are those of the pairs in order of time
    (video,) = read_sequences([odometry], frames=4)
    maps, motions, K = VideoRunner(str(tiny_config), str(checkpoint), batch_size=3)(video)
    assert accumulate(motions) == pytest.approx(pred[:4], abs=1e-5)
    assert len(maps) == 4 and maps[0].shape == (64, 128)
    # 160x80 to 128x64, half-pixel convention
    assert [[K[0, 0], K[0, 2]], [K[1, 1], K[1, 2]]] == pytest.approx(
        np.array([[72, 63.5], [72, 31.5]])
    )


def test_temporal_tool(tool, odometry, checkpoint, tiny_config, tmp_path):
    out = tmp_path / 'temporal.json'
    arguments = [str(tiny_config), str(checkpoint), '--sequence', str(odometry), '--tta']
    tool('eval_temporal').main([*arguments, '--out', str(out)])
    rows = json.loads(out.read_text())['00']
    assert list(rows) == [
        'model, known motion',
        'the same depth everywhere, known motion',
        'model, predicted motion',
        'the same depth everywhere, predicted motion',
    ]
    flat = rows['the same depth everywhere, known motion']
    # sideways motion does not change the depth of a wall ahead
    assert flat['inconsistency'] == pytest.approx(0, abs=1e-6) and flat['agreement'] == 1
    assert len(rows['model, known motion']['pairs']) == 6
    assert 0 < rows['model, known motion']['inconsistency'] < 1
    assert rows['model, known motion']['scale_origin'] == 'from true motion'


def test_published_weights_are_judged_by_known_motion(
    tool, tiny_kitti, odometry, checkpoint, tiny_config, tmp_path
):
    drive = next(tiny_kitti.glob('*/*_sync'))
    poses, weights = tmp_path / 'poses.txt', tmp_path / 'published.pth'
    poses.write_text((odometry.parents[1] / 'poses' / '00.txt').read_text() * 2)
    state = torch.load(checkpoint)['state_dict']
    kept = {key: value for key, value in state.items() if not key.startswith('pose_net.')}
    assert len(kept) < len(state)
    torch.save(dict(state_dict=kept), weights)
    arguments = [str(tiny_config), str(weights), '--sequence', str(drive), '--poses', str(poses)]
    arguments += ['--frames', '4']
    rows = tool('eval_temporal').main([*arguments, '--motion', 'known'])[drive.name]
    assert list(rows) == ['model, known motion', 'the same depth everywhere, known motion']
    assert rows['model, known motion']['scale_origin'] == 'from true depth'
    with pytest.raises(SystemExit, match='pose'):
        tool('eval_temporal').main(arguments)


def test_raw_layout_with_true_depth(tiny_kitti, odometry, tmp_path):
    drive = next(tiny_kitti.glob('*/*_sync'))
    poses = tmp_path / 'poses.txt'
    one = (odometry.parents[1] / 'poses' / '00.txt').read_text()
    poses.write_text(one * 2)
    (video,) = read_sequences([drive], poses)
    assert len(video.paths) == 14 and video.gt_depth(3).shape == (80, 160)
    ratios = video.depth_ratios([np.full((64, 128), 1.0)] * 14, 80)
    assert ratios == pytest.approx([np.median(video.gt_depth(0))] * 14)


def test_one_sentence_for_what_is_wrong(tool, odometry, checkpoint, tiny_config, tmp_path):
    def fails(*changes, folder=odometry, weights=checkpoint, name='eval_pose'):
        with pytest.raises(SystemExit) as caught:
            arguments = [str(tiny_config), str(weights), '--sequence', str(folder)]
            tool(name).main([*arguments, *map(str, changes)])
        return str(caught.value)

    assert 'neither image_2' in fails(folder=tmp_path)
    assert 'poses.txt does not exist' in fails('--poses', tmp_path / 'poses.txt')
    short = tmp_path / 'short.txt'
    short.write_text('1 0 0 0 0 1 0 0 0 0 1 0\n')
    assert 'has 1 poses, but there is a frame 6' in fails('--poses', short)
    short.write_text('1 0 0 0 0 nan 0 0 0 0 1 0\n')
    assert 'short.txt:1' in fails('--poses', short, name='eval_temporal')
    assert 'does not exist' in fails(weights=tmp_path / 'none.pth')
    (tmp_path / 'file').write_text('')
    assert 'cannot write to' in fails('--out', tmp_path / 'file')
    place = tmp_path / 'file' / 'numbers.json'
    assert 'cannot write to' in fails('--out', place, name='eval_temporal')
    torch.save(dict(state_dict={}), tmp_path / 'empty.pth')
    assert 'hold no parameters' in fails(weights=tmp_path / 'empty.pth')

"""Warped sources: against a re-projection by hand, on cut and mirrored images, and on the sheet."""

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData

from mmscd.registry import MODELS
from mmscd.structures import DepthDataSample
from mmscd.utils.config import load_config
from mmscd.visualization import warp
from mmscd.visualization.browse import load_batch

TOOL = Path(__file__).parents[2] / 'tools/analysis_tools/browse_dataset.py'
K = np.array([[70.0, 0, 31.2], [0, 60.0, 15.7], [0, 0, 1]])
BASELINE = 0.5
SHAPE = (32, 64)


@pytest.fixture
def main():
    return runpy.run_path(str(TOOL))['main']


def stereo_pair():
    """Target, source (3, 32, 64) and depth of a slope, drawn by one formula; pose of the source."""
    v, u = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    depth = 4 + 0.1 * (SHAPE[0] - v)

    def paint(u, v):  # colours that the surface has at the target's pixel
        waves = (np.sin(u / 3), np.cos(u / 4 + v / 5), np.sin(v / 3 + u / 7))
        return np.stack([0.5 + 0.4 * wave for wave in waves])

    # depth depends on the row alone, and so does the shift of the source, b to the right
    target = paint(u, v)
    source = paint(u + K[0, 0] * BASELINE / depth, v)
    T = np.eye(4)
    T[0, 3] = -BASELINE
    return [torch.from_numpy(x).float() for x in (target, source, depth, T)]


def test_warp_of_a_known_pose():
    target, source, depth, T = stereo_pair()
    depth[:, :5] = 0
    pair = warp.Pair(1, depth, T, 'test')
    warped, valid = warp.warp(source, pair, torch.from_numpy(K).float())
    # by hand: a point at column u is seen f b / z further left
    columns = np.arange(64) - K[0, 0] * BASELINE / depth.clamp(min=1e-3).numpy()
    expected = (depth.numpy() > 0) & (columns >= -0.5) & (columns <= 63.5)
    assert (valid.numpy() == expected).all()
    maps = columns.astype(np.float32), np.mgrid[:32, :64][0].astype(np.float32)
    by_cv2 = cv2.remap(
        source.permute(1, 2, 0).numpy(), *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    by_cv2 = torch.from_numpy(by_cv2).permute(2, 0, 1)
    # cv2.remap rounds positions to 1/32 pixel
    assert (warped - by_cv2)[:, valid].abs().max() < 0.01
    inner = valid & (torch.from_numpy(columns) >= 0) & (torch.from_numpy(columns) <= 63)
    assert (warped - target)[:, inner].abs().max() < 0.02
    assert (source - target)[:, inner].abs().mean() > 0.15


def differences(panels):
    return [float(panel[0].split(': ')[1]) for panel in panels[-2:]]


def test_a_wrong_focal_length_shows():
    target, source, depth, T = stereo_pair()
    frames, pair = torch.stack([target, source]), warp.Pair(1, depth, T, 'test')
    camera = torch.from_numpy(K).float()
    found = {
        factor: differences(warp.warp_panels(frames, pair, camera, 's', factor))
        for factor in (0.8, 1.0, 1.25)
    }
    assert found[1.0][1] < 0.01 < 0.1 < found[1.0][0]
    assert found[0.8][1] > 10 * found[1.0][1] and found[1.25][1] > 10 * found[1.0][1]
    row = warp.warp_panels(frames, pair, camera, 's', 1.25)
    assert row[0] is None and 'focal x 1.25' in row[1][0]
    assert all(picture.shape == (*SHAPE, 3) for _, picture in row[1:])
    empty = warp.Pair(1, torch.zeros(SHAPE), T, 'test')
    row = warp.warp_panels(frames, empty, camera, 's')
    assert row[-1][0] == 'difference warped: nothing to compare'


@pytest.mark.parametrize('flipped', [False, True])
def test_true_depth_follows_cuts_and_mirrors(flipped):
    gt = np.zeros((60, 120), np.float32)
    gt[30, 50], gt[40, 100] = 7.0, 12.0  # the second one lies outside of the cut
    K_ori = np.array([[100.0, 0, 59.5], [0, 100.0, 29.5], [0, 0, 1]])
    sample = DepthDataSample(metainfo=dict(K_ori=K_ori.tolist(), ori_shape=(120, 240)))
    sample.gt_depth = PixelData(data=torch.from_numpy(gt)[None])
    # the image is twice the size of the ground truth: K_ori belongs to it
    K_image = np.array([[200.0, 0, 119.5], [0, 200.0, 59.5], [0, 0, 1]])
    sample.set_metainfo(dict(K_ori=K_image.tolist()))
    # cut 20 columns and 10 rows off, then halve: pixels of the ground truth, less 10 and 5
    K_net = np.array([[100.0, 0, 59.5 - 10], [0, 100.0, 29.5 - 5], [0, 0, 1]])
    if flipped:
        K_net[0, 2] = 80 - 1 - K_net[0, 2]
    depth = warp.true_depth(sample, K_net, (80, 50), flipped)
    column = 80 - 1 - 40 if flipped else 40
    assert depth.shape == (50, 80) and depth[25, column] == 7.0
    assert set(np.unique(depth)) == {0.0, 7.0}


def test_points_spread_to_the_nearest():
    depth = np.zeros((9, 9), np.float32)
    depth[4, 2], depth[4, 6] = 3.0, 5.0
    grown = warp.spread_nearest(depth, 2.0)
    v, u = np.mgrid[:9, :9]
    near, far = np.hypot(v - 4, u - 2), np.hypot(v - 4, u - 6)
    inside = np.minimum(near, far) < 1.9
    assert (grown[inside & (near < far)] == 3).all() and (grown[inside & (far < near)] == 5).all()
    assert (grown[np.minimum(near, far) > 2.4] == 0).all()
    assert (warp.spread_nearest(np.zeros((3, 3), np.float32), 2) == 0).all()


def test_the_flip_is_that_of_the_preprocessor():
    preprocessor = MODELS.build(dict(type='DepthDataPreprocessor', jitter_prob=0.0))
    frames = torch.zeros(6, 1, 3, 8, 8, dtype=torch.uint8)
    frames[..., 0] = 255
    keys = torch.arange(6) * 977
    inputs = dict(frames=frames, K=torch.eye(3).repeat(6, 1, 1), draw_key=keys)
    seen = preprocessor(dict(inputs=inputs), training=True)['inputs']['frames']
    flips = [warp.is_flipped(key, 0.5) for key in keys]
    assert flips == (seen[:, 0, 0, 0, 7] == 1).tolist() and 0 < sum(flips) < 6


def test_sheet_with_a_network(main, tiny_config, tmp_path, capsys):
    torch.manual_seed(0)
    model = MODELS.build(load_config(str(tiny_config)).model)
    weights = tmp_path / 'iter_1.pth'
    torch.save(dict(state_dict=model.state_dict()), weights)
    options = ['--num', '1', '--panel-width', '240', '--out', str(tmp_path / 'out')]
    main([str(tiny_config), *options, '--checkpoint', str(weights)])
    # a row of three frames, and one of four panels for each source
    (sheet,) = (tmp_path / 'out').iterdir()
    assert cv2.imread(str(sheet)).shape == (3 * (24 + 120) + 8, 4 * 240 + 12, 3)
    main([str(tiny_config), *options])
    assert 'source -1 is not warped: a source in time needs --checkpoint' in capsys.readouterr().out
    main([str(tiny_config), *options, '--split', 'val', '--checkpoint', str(weights)])
    assert 'nothing to warp: the samples have no source frame' in capsys.readouterr().out
    slim = {k: v for k, v in model.state_dict().items() if not k.startswith('pose_net')}
    torch.save(dict(state_dict=slim), weights)
    with pytest.raises(SystemExit, match='published checkpoints have no pose net'):
        main([str(tiny_config), *options, '--checkpoint', str(weights)])


def test_real_stereo_pairs_line_up(mmscd_data):
    """The 25 LiDAR frames would take long: two of them."""
    from mmengine.config import Config

    pipeline = [dict(type='LoadFrames'), dict(type='ResizeFrames', size=(640, 192))]
    dataset = dict(
        type='KITTIRawDataset',
        data_root=str(mmscd_data / 'kitti_raw'),
        ann_file=str(mmscd_data / 'splits/eigen/test_files.txt'),
        drives=['2011_09_26_drive_0013_sync'],
        frame_ids=[0, 's'],
        test_mode=True,
        pipeline=[*pipeline, dict(type='PackDepthInputs')],
    )
    model = dict(data_preprocessor=dict(type='DepthDataPreprocessor'))
    cfg = Config(dict(model=model, val_dataloader=dict(dataset=dataset)))
    inputs, samples = load_batch(cfg, 'val', 2)
    pairs, notes = warp.find_pairs(inputs, samples, None, 0.0)
    assert notes == []
    for index, (pair,) in enumerate(pairs):
        frames, camera = inputs['frames'][index], inputs['K'][index]
        rows = {f: warp.warp_panels(frames, pair, camera, 's', f) for f in (0.8, 1.0, 1.2)}
        before, right = differences(rows[1.0])
        assert right < 0.5 * before
        assert all(differences(rows[f])[1] > 1.4 * right for f in (0.8, 1.2))

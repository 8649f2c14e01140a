"""DepthInferencer against the network called by hand, its outputs, and what it refuses."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

import mmscd
from mmscd import DepthInferencer, inference_depth, init_model
from mmscd.datasets.formats.images import read_depth_png
from mmscd.utils.config import load_config

K = [[90.0, 0, 79.5], [0, 90.0, 39.5], [0, 0, 1]]


@pytest.fixture(scope='module')
def inferencer(tiny_config, tiny_weights):
    return DepthInferencer(str(tiny_config), tiny_weights, 'cpu', show_progress=False)


@pytest.fixture(scope='module')
def reference(tiny_config, tiny_weights, street):
    """Disparity and depth of three images, from the network's parts."""
    from mmscd.registry import MODELS

    model = MODELS.build(load_config(str(tiny_config)).model).eval()
    model.load_state_dict(torch.load(tiny_weights)['state_dict'])
    results = []
    for image in street[:3]:
        # 160x80 to 128x64: an exact multiple does not exist, so by the transform
        from mmscd.datasets.transforms.resize import shrink

        x = torch.from_numpy(shrink(image, (128, 64))).permute(2, 0, 1)[None].float() / 255
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x = (x - mean.reshape(3, 1, 1)) / std.reshape(3, 1, 1)
        with torch.no_grad():
            disp = model.disp_head(model.backbone(x))[0]
            mirrored = model.disp_head(model.backbone(x.flip(-1)))[0].flip(-1)
        maps = []
        for d in (disp, (disp + mirrored) / 2):
            full = torch.nn.functional.interpolate(d, (80, 160), mode='bilinear')[0, 0]
            depth = 1 / (1 / 100 + (1 / 0.1 - 1 / 100) * full)
            maps.append((full.numpy(), depth.numpy()))
        results.append(maps)
    return results


def test_import_is_light():
    code = 'import sys, mmscd; print(sorted({"torch", "mmengine", "cv2"} & set(sys.modules)))'
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == '[]'
    assert set(mmscd.__all__) <= set(dir(mmscd))
    with pytest.raises(AttributeError, match='nothing'):
        mmscd.nothing  # noqa: B018


def test_depth_and_disparity_are_the_networks(inferencer, street, reference):
    result = inferencer(street[:3])
    assert result['failures'] == []
    for prediction, maps in zip(result['predictions'], reference, strict=True):
        disp, depth = maps[0]
        assert prediction['pred_depth'].dtype == prediction['pred_disp'].dtype == np.float32
        assert prediction['pred_depth'] == pytest.approx(depth, rel=1e-4)
        assert prediction['pred_disp'] == pytest.approx(disp, abs=1e-5)
        assert (prediction['scale'], prediction['metric']) == (1.0, False)


def test_batches_change_nothing_and_a_generator_is_not_kept(inferencer, street):
    whole = inferencer(street[:5], batch_size=5)['predictions']
    handed = []

    def images():
        for image in street[:5]:
            handed.append(image)
            yield image

    for i, result in enumerate(inferencer.stream(images(), batch_size=2)):
        assert result['pred_depth'] == pytest.approx(whole[i]['pred_depth'], rel=1e-4)
        assert len(handed) <= i + 2
    assert i == 4


def test_sizes_and_kinds_of_images(inferencer, street, tmp_path):
    grey = street[0].mean(axis=2).astype(np.uint8)
    rgba = np.dstack([street[0], np.full(grey.shape, 9, np.uint8)])
    deep = street[0].astype(np.uint16) * 257
    inputs = [street[0], rgba, deep, grey, street[0][:1, :1], street[0][:, :31], street[0][:7]]
    maps = [p['pred_depth'] for p in inferencer(inputs, batch_size=3)['predictions']]
    assert [m.shape for m in maps] == [x.shape[:2] for x in inputs]
    assert (maps[1] == maps[0]).all() or maps[1] == pytest.approx(maps[0], rel=1e-5)
    assert maps[2] == pytest.approx(maps[0], rel=1e-5)
    # pictures of all of them, a single pixel too
    files = inferencer(inputs[3:], out_dir=tmp_path, save=['color', 'beside', 'kitti_png'])
    for image, prediction in zip(inputs[3:], files['predictions'], strict=True):
        color = cv2.imread(prediction['files']['color'])
        assert color.shape == (image.shape[0] + 24, max(240, image.shape[1]), 3)
        assert cv2.imread(prediction['files']['beside']) is not None


def test_flip_scale_and_precision(tiny_config, tiny_weights, street, reference):
    options = dict(device='cpu', show_progress=False)
    flipped = DepthInferencer(str(tiny_config), tiny_weights, flip=True, scale=3.0, **options)
    prediction = flipped(street[0])['predictions'][0]
    assert prediction['pred_depth'] == pytest.approx(3 * reference[0][1][1], rel=1e-4)
    assert prediction['pred_disp'] == pytest.approx(reference[0][1][0], abs=1e-5)
    assert (prediction['scale'], prediction['metric']) == (3.0, True)
    sample = flipped(street[0], return_datasamples=True)['predictions'][0]
    assert sample.pred_depth.data[0].numpy() == pytest.approx(prediction['pred_depth'])
    exact = DepthInferencer(str(tiny_config), tiny_weights, precision='float32', **options)
    assert 'finest_disp' not in vars(exact.model)
    auto = DepthInferencer(str(tiny_config), tiny_weights, **options)
    depth = auto([street[0]] * 24)['predictions'][-1]['pred_depth']
    assert auto.model.finest_disp.shape == (3, 64, 128)  # of the network, chosen by then
    assert depth.dtype == np.float32
    assert depth == pytest.approx(reference[0][0][1], rel=0.05)


def test_functions(tiny_config, tiny_weights, street, reference):
    model = init_model(str(tiny_config), tiny_weights, 'cpu')
    assert not model.training and model.pose_net is None and model.distiller is None
    depth = inference_depth(model, street[0])
    assert depth == pytest.approx(reference[0][0][1], rel=1e-4)
    maps = inference_depth(model, street[:2])
    assert isinstance(maps, list) and maps[1] == pytest.approx(reference[1][0][1], rel=1e-4)
    assert isinstance(inference_depth(model, street[:1]), list)


def test_files(tiny_config, tiny_weights, street, tmp_path):
    inferencer = DepthInferencer(
        str(tiny_config), tiny_weights, 'cpu', scale=20, intrinsics=K, show_progress=False
    )
    kinds = ['color', 'beside', 'kitti_png', 'npy', 'ply', 'video']
    prediction = inferencer(
        street[0], out_dir=tmp_path, save=kinds, ply_options=dict(max_depth=1e9, jump=None)
    )['predictions'][0]
    depth, files = prediction['pred_depth'], prediction['files']
    assert sorted(files) == sorted(set(kinds) - {'video'})  # it is no video
    assert files['npy'] == str(tmp_path / 'npy/000000.npy')
    assert (np.load(files['npy']) == depth).all()
    assert read_depth_png(files['kitti_png']) == pytest.approx(depth, abs=0.5 / 256 + 1e-4)
    assert cv2.imread(files['color']).shape == (80 + 24, 240, 3)
    header = open(files['ply'], 'rb').read().split(b'end_header\n')[0]
    assert b'element vertex 12800' in header
    inferencer(street[0], out_dir=tmp_path, scale_bar=False)
    from mmscd.visualization.colormap import colorize_depth

    stored = cv2.imread(str(tmp_path / 'color/000000.png'))[..., ::-1]
    assert (stored == colorize_depth(depth)).all()
    left = [path.name for path in tmp_path.rglob('.*')]
    assert left == []


def test_colours_keep_fixed_limits(inferencer, street, tmp_path):
    from mmscd.inference.pictures import DepthPainter

    painter = DepthPainter(limits=(2, 10))
    assert painter.inverse_limits(np.ones((2, 2))) == (0.1, 0.5)
    painter, first, second = DepthPainter(momentum=0.75), np.full((4, 4), 2.0), np.full((4, 4), 1.0)
    for value in (first, second):
        value[0] = 8.0
    a = painter.inverse_limits(first, smooth=True)
    b = DepthPainter().inverse_limits(second)
    expected = [0.75 * x + 0.25 * y for x, y in zip(a, b, strict=True)]
    assert painter.inverse_limits(second, smooth=True) == pytest.approx(expected)
    for bad in (dict(colormap='jet'), dict(limits=(3, 2))):
        with pytest.raises(ValueError, match=r'colour map|depth_limits'):
            DepthPainter(**bad)


def test_video(inferencer, long_video, street, tmp_path):
    result = inferencer(
        long_video, out_dir=tmp_path, save=['video', 'npy'], max_frames=7, frame_step=2
    )
    names = [p['name'] for p in result['predictions']]
    assert names == [f'drive/{i:06d}' for i in range(0, 14, 2)]
    # many frames: their maps are on disk, not in memory
    assert 'pred_depth' not in result['predictions'][0]
    assert np.load(tmp_path / 'npy/drive/000012.npy').shape == (80, 160)
    capture = cv2.VideoCapture(str(tmp_path / 'video/drive.mp4'))
    assert capture.get(cv2.CAP_PROP_FPS) == 5
    frames = []
    while True:
        done, frame = capture.read()
        if not done:
            break
        frames.append(frame[..., ::-1])
    assert len(frames) == 7
    # image above depth, each with its strip; panels are at least 240 wide
    assert frames[0].shape == (2 * (24 + 80) + 4, 240, 3)
    difference = frames[0][24 + 4 : 24 + 76, 4:156].astype(int) - street[0][4:76, 4:156]
    assert np.abs(difference).mean() < 12
    with pytest.raises(ValueError, match='needs out_dir'):
        inferencer(long_video, save='video')
    still = tmp_path / 'still.png'
    cv2.imwrite(str(still), street[0])
    with pytest.raises(ValueError, match=r"still\.png is no video: 'video' alone"):
        inferencer(str(still), out_dir=tmp_path / 'no', save='video')


def test_camera_height(tiny_config, tiny_weights, street):
    scale = dict(type='camera_height', height=1.65, min_inliers=0.0, threshold=10.0)
    inferencer = DepthInferencer(
        str(tiny_config), tiny_weights, 'cpu', scale=scale, intrinsics=K, show_progress=False
    )
    inferencer.model = Plane()
    prediction = inferencer(street[0])['predictions'][0]
    rows = np.arange(80)[50:, None]
    assert prediction['pred_depth'][50:] == pytest.approx(
        np.broadcast_to(1.65 * 90 / (rows - 39.5), (30, 160)), rel=1e-5
    )
    with pytest.raises(ValueError, match='scale by camera height needs the camera'):
        DepthInferencer(str(tiny_config), tiny_weights, scale=scale)


class Plane:
    """Stands in for a network that sees a flat road 0.02 units below the camera."""

    depth_range = (0.01, 100)

    def test_step(self, data):
        from mmengine.structures import PixelData

        v = torch.arange(80.0)[:, None].expand(80, 160)
        for sample in data['data_samples']:
            depth = 0.02 * 90 / (v - 39.5).clamp(min=0.5)
            sample.pred_depth = PixelData(data=depth[None])
        return data['data_samples']


@pytest.mark.parametrize('value', [float('nan'), float('inf'), 0.0])
def test_depth_that_is_not_finite_is_no_result(value, tiny_config, tiny_weights, street):
    model = init_model(str(tiny_config), tiny_weights, 'cpu')
    model.estimate_disps = lambda image: ([torch.full((1, 1, 80, 160), value)], ())
    model.depth_range = (1.0, float('inf'))
    with pytest.raises(RuntimeError, match='the network gives depth that is not finite'):
        inference_depth(model, street[0])


def test_real_image_by_name(mmscd_data, tmp_path):
    """One line, by the name of a shipped config."""
    image = next((mmscd_data / 'kitti_raw').glob('*/*0013*/image_02/data/*.jpg'))
    inferencer = DepthInferencer('monodepth2_r18_kitti-mini', 'random', show_progress=False)
    prediction = inferencer(image, out_dir=tmp_path)['predictions'][0]
    assert prediction['pred_depth'].shape == cv2.imread(str(image)).shape[:2]
    assert cv2.imread(prediction['files']['color']).shape[1] == 1242

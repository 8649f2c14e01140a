"""The visualizer and its hook write the pictures that are asked for, where they are asked for."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from PIL import Image

from mmscd.engine.hooks.depth_visualization_hook import DepthVisualizationHook, picture_name
from mmscd.registry import HOOKS, VISUALIZERS
from mmscd.structures.depth_data_sample import DepthDataSample
from mmscd.visualization import DepthVisualizer, read_image, save_image
from mmscd.visualization.rendering import HEAD_HEIGHT, stack_panels, text_width


def make_sample(i=0, gt=True, shape=(48, 160), folder='drive/image_02/data'):
    meta = dict(sample_idx=i, img_path=f'{folder}/{i:010d}.png', ori_shape=shape)
    sample = DepthDataSample(metainfo=meta)
    rng = np.random.default_rng(i)
    inv = torch.from_numpy(rng.uniform(0.02, 0.5, (24, 80))).float()
    sample.pred_inv_depth = PixelData(data=inv[None])
    if gt:
        depth = rng.uniform(2, 60, shape) * (rng.random(shape) < 0.1)
        sample.gt_depth = PixelData(data=torch.from_numpy(depth).float()[None])
    return sample


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 255, (48, 160, 3)).astype(np.uint8)


def test_panels_and_shapes(image):
    visualizer = VISUALIZERS.build(dict(type='DepthVisualizer', name='built', panel_width=320))
    height = 96 + HEAD_HEIGHT
    picture = visualizer.draw(image, make_sample())
    assert picture.shape == (3 * height + 8, 320, 3) and picture.dtype == np.uint8
    assert visualizer.draw(image, make_sample(gt=False)).shape == (2 * height + 4, 320, 3)
    assert visualizer.draw(image, make_sample(), draw_gt=False).shape == (2 * height + 4, 320, 3)
    flat = DepthVisualizer('flat', panel_width=320, direction='horizontal')
    assert flat.draw(image, make_sample()).shape == (height, 3 * 320 + 8, 3)
    # a ground truth without a single value gives an error panel that says so
    empty = make_sample()
    empty.gt_depth.data.zero_()
    assert visualizer.draw(image, empty).shape == picture.shape
    with pytest.raises(ValueError, match='panel_width.*100'):
        DepthVisualizer('narrow', panel_width=100).draw(image, empty)


def test_pred_depth_draws_like_its_inverse(image):
    visualizer = DepthVisualizer('v', panel_width=320)
    one, other = make_sample(gt=False), DepthDataSample()
    other.pred_depth = PixelData(data=1 / one.pred_inv_depth.data)
    difference = visualizer.draw(image, one).astype(int) - visualizer.draw(image, other)
    assert np.abs(difference).max() <= 8
    with pytest.raises(ValueError, match='pred_inv_depth'):
        visualizer.draw(image, DepthDataSample())


def test_near_is_bright_in_the_picture(image):
    sample = make_sample(gt=False)
    sample.pred_inv_depth.data[:, :12], sample.pred_inv_depth.data[:, 12:] = 0.02, 0.5
    depth = DepthVisualizer('v', panel_width=320).draw(image, sample)[-96:]
    assert depth[80:].mean() > depth[:20].mean() + 50


def test_add_datasample_saves(image, tmp_path):
    visualizer = DepthVisualizer('v', panel_width=320)
    for name in ('a.png', 'sub/b.jpg'):
        picture = visualizer.add_datasample('name', image, make_sample(), out_file=tmp_path / name)
        written = read_image(tmp_path / name)
        assert written.shape == picture.shape
        if name.endswith('png'):
            np.testing.assert_array_equal(written, picture)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['a.png', 'sub']
    with pytest.raises(ValueError, match='a.bmp'):
        save_image(picture, tmp_path / 'a.bmp')
    with pytest.raises(FileNotFoundError, match='nothing.png'):
        read_image(tmp_path / 'nothing.png')


def test_an_image_is_drawn_as_the_network_sees_it(tmp_path):
    """Turned by EXIF, as the predicted depth beside it is."""
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[:, :15] = 255
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(picture).save(tmp_path / 'a.jpg', exif=turned)
    read = read_image(tmp_path / 'a.jpg')
    assert read.shape == (30, 20, 3)
    assert np.abs(read.astype(int) - np.rot90(picture, -1)).max() < 40
    (tmp_path / 'half.jpg').write_bytes((tmp_path / 'a.jpg').read_bytes()[:400])
    with pytest.raises(OSError, match='half.jpg is truncated'):
        read_image(tmp_path / 'half.jpg')


def test_a_long_title_is_cut():
    assert text_width('a' * 20) < text_width('a' * 200)
    tall = np.zeros((10, 400, 3), np.uint8)
    assert stack_panels([tall, tall]).shape == (24, 400, 3)
    with pytest.raises(ValueError, match='up'):
        stack_panels([tall], 'up')


def make_runner(tmp_path, size=20, iteration=40):
    return SimpleNamespace(
        work_dir=str(tmp_path),
        iter=iteration,
        _train_loop=object(),
        visualizer=DepthVisualizer('runner', panel_width=240),
        val_dataloader=SimpleNamespace(dataset=range(size)),
    )


def make_samples(tmp_path, image, indices):
    folder = tmp_path / 'drive' / 'image_02' / 'data'
    folder.mkdir(parents=True)
    samples = [make_sample(i, folder=str(folder)) for i in indices]
    for sample in samples:
        cv2.imwrite(sample.img_path, image)
    return samples


@pytest.mark.parametrize(
    ('options', 'drawn'),
    [
        (dict(interval=4, max_images=2), [0, 4]),
        (dict(max_images=4), [0, 5, 10, 15]),
        (dict(max_images=0), []),
    ],
)
def test_hook_in_validation(tmp_path, image, options, drawn):
    hook = HOOKS.build(dict(type='DepthVisualizationHook', **options))
    samples = make_samples(tmp_path, image, range(20))
    runner = make_runner(tmp_path)
    for start in range(0, 20, 6):
        hook.after_val_iter(runner, start // 6, None, samples[start : start + 6])
    names = [f'{i:05d}_drive_image_02_{i:010d}.jpg' for i in drawn]
    assert sorted(p.name for p in tmp_path.glob('vis/iter_40/*')) == names


def test_hook_in_test_draws_all_or_nothing(tmp_path, image):
    samples = make_samples(tmp_path, image, range(3))
    runner = make_runner(tmp_path)
    DepthVisualizationHook().after_test_iter(runner, 0, None, samples)
    assert not (tmp_path / 'vis').exists()
    hook = DepthVisualizationHook(show_dir=tmp_path / 'show', suffix='.png')
    hook.after_test_iter(runner, 0, None, samples)
    assert len(list((tmp_path / 'show').glob('*.png'))) == 3


def test_hook_draws_the_batch_where_there_is_no_file(tmp_path, image):
    hook = DepthVisualizationHook(show_dir=tmp_path)
    frames = torch.from_numpy(image).permute(2, 0, 1)[None, None]
    batch = dict(inputs=dict(frames=frames))
    hook.after_test_iter(make_runner(tmp_path), 0, batch, [make_sample(0)])
    assert len(list(tmp_path.glob('*.jpg'))) == 1
    with pytest.raises(FileNotFoundError, match='0000000000.png'):
        hook.after_test_iter(make_runner(tmp_path), 0, None, [make_sample(0)])


def test_hook_names_and_errors():
    path = '/data/2011_09_26/2011_09_26_drive_0013_sync/image_02/data/0000000005.png'
    sample = DepthDataSample(metainfo=dict(sample_idx=3, img_path=path))
    assert picture_name(sample) == '00003_2011_09_26_drive_0013_sync_image_02_0000000005'
    for options in (dict(interval=0), dict(max_images=-1), dict(suffix='.bmp')):
        with pytest.raises(ValueError, match=next(iter(options))):
            DepthVisualizationHook(**options)

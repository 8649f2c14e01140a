"""Cityscapes and Foggy Cityscapes: the real pair, and a tiny tree of a video."""

import json

import cv2
import numpy as np
import pytest

from mmscd.datasets import CityscapesDataset, CropFrames, FoggyCityscapesDataset, LoadFrames

CAMERA = dict(
    intrinsic=dict(fx=2262.52, fy=2265.3, u0=1096.98, v0=513.137),
    extrinsic=dict(baseline=0.209313, x=1.7),
)
REAL = 'aachen_000001_000019'


@pytest.fixture
def real_tree(mmscd_data, tmp_path):
    """The real sample in the folders of the official layout."""
    for folder, ending in (
        ('leftImg8bit', 'leftImg8bit.png'),
        ('rightImg8bit', 'rightImg8bit.png'),
        ('disparity', 'disparity.png'),
        ('camera', 'camera.json'),
    ):
        target = tmp_path / folder / 'train/aachen'
        target.mkdir(parents=True)
        source = mmscd_data / 'layout_samples/cityscapes' / folder / f'{REAL}_{ending}'
        (target / source.name).symlink_to(source)
    return tmp_path


def test_real_pair(real_tree):
    """The truth is baseline * fx / ((p - 1) / 256), and moves the right image onto the left one."""
    dataset = CityscapesDataset(str(real_tree), frame_ids=(0, 's'), test_mode=True)
    results = LoadFrames()(dataset.get_data_info(0))
    path = real_tree / f'disparity/train/aachen/{REAL}_disparity.png'
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.float64)
    known = stored > 1
    depth = results['gt_depth']
    np.testing.assert_array_equal(depth > 0, known)
    expected = 0.209313 * 2262.52 / ((stored[known] - 1) / 256)
    np.testing.assert_allclose(depth[known], expected, rtol=1e-6)
    left, right = (frame.astype(np.float64).mean(-1) for frame in results['frames'])
    v, u = (index[::50] for index in np.nonzero((depth > 0) & (depth < 80)))
    moved = np.round(u + results['K'][0, 0] * results['T_stereo'][0, 3] / depth[v, u]).astype(int)
    inside = moved >= 0
    u, v, moved = u[inside], v[inside], moved[inside]
    warped = np.abs(right[v, moved] - left[v, u]).mean()
    assert warped < 0.6 * np.abs(right[v, u] - left[v, u]).mean()


def test_real_crop(real_tree):
    """The lower quarter goes from image and truth; the principal point stays."""
    dataset = CityscapesDataset(str(real_tree), frame_ids=(0,), test_mode=True)
    results = CropFrames(window=(0, 0.75, 0, 1.0))(LoadFrames()(dataset.get_data_info(0)))
    assert results['frames'][0].shape == (768, 2048, 3)
    assert results['gt_depth'].shape == results['ori_shape'] == (768, 2048)
    assert results['K'][1, 2] == pytest.approx(513.137)


@pytest.fixture
def tiny(tmp_path):
    """A snippet around frame 19: frames 13 to 25; and a camera file of another snippet."""
    picture = np.full((1024, 2048), 90, np.uint8)
    _, png = cv2.imencode('.png', picture)
    _, disparity = cv2.imencode('.png', np.full((1024, 2048), 64 * 256 + 1, np.uint16))

    def write(folder, name, ending, data):
        path = tmp_path / folder / 'test/ulm' / f'{name}_{ending}'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    name = 'ulm_000003_000019'
    for frame in range(13, 26):
        file = f'ulm_000003_{frame:06d}'
        write('leftImg8bit_sequence', file, 'leftImg8bit.png', png.tobytes())
    write('leftImg8bit', name, 'leftImg8bit.png', png.tobytes())
    write('leftImg8bit_foggy', name, 'leftImg8bit_foggy_beta_0.02.png', png.tobytes())
    write('disparity', name, 'disparity.png', disparity.tobytes())
    write('camera', name, 'camera.json', json.dumps(CAMERA).encode())
    write('camera', 'ulm_000003_000319', 'camera.json', b'{}')
    return tmp_path


def frames(dataset):
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    return [[int(path.split('_')[-2]) for path in info['frame_paths']] for info in infos]


def test_video(tiny):
    assert frames(CityscapesDataset(str(tiny), split='test')) == [[19, 17, 21]]
    dataset = CityscapesDataset(str(tiny), split='test', sequence=True)
    assert frames(dataset) == [[f, f - 2, f + 2] for f in range(15, 24)]
    assert frames(CityscapesDataset(str(tiny), split='test', sequence=True, stride=6)) == [
        [19, 13, 25]
    ]
    assert dataset.get_data_info(0)['K_ori'][0, 0] == 2262.52


def test_fog(tiny):
    dataset = FoggyCityscapesDataset(str(tiny), test_mode=True)
    info = dataset.get_data_info(0)
    assert info['img_path'].endswith('leftImg8bit_foggy_beta_0.02.png')
    assert info['condition'] == 'foggy beta 0.02'
    np.testing.assert_allclose(info['gt_depth'], 0.209313 * 2262.52 / 64, rtol=1e-6)
    with pytest.raises(ValueError, match='beta must be one of'):
        FoggyCityscapesDataset(str(tiny), beta=0.03)
    with pytest.raises(FileNotFoundError, match='leftImg8bit_foggyDBF/test does not exist'):
        FoggyCityscapesDataset(str(tiny), folder='leftImg8bit_foggyDBF')


def test_split_and_npy_truth(tiny, split):
    lines = split('ulm ulm_000003_000019')
    np.save(tiny / '000_depth.npy', np.full((1024, 2048), 5.0))
    dataset = CityscapesDataset(
        str(tiny),
        lines,
        (0,),
        split='test',
        gt='npy',
        gt_npy_dir=str(tiny),
        test_mode=True,
    )
    assert dataset.get_data_info(0)['gt_depth'].mean() == 5
    with pytest.raises(ValueError, match='needs gt_npy_dir'):
        CityscapesDataset(str(tiny), gt='npy')


def test_bad_input_is_named(tiny, split):
    def build(*args, **options):
        return CityscapesDataset(
            str(tiny), *args, frame_ids=(0,), split='test', test_mode=True, **options
        )

    with pytest.raises(ValueError, match=r"split\.txt:1: expected `ulm ulm_.*'bonn ulm_"):
        build(split('bonn ulm_000003_000019'))
    with pytest.raises(
        FileNotFoundError, match=r'split\.txt:1: no camera file for ulm_000003_0000'
    ):
        build(split('ulm_000003_000099'))
    camera = tiny / 'camera/test/ulm/ulm_000003_000019_camera.json'
    camera.write_text(json.dumps(CAMERA).replace('2262.52', 'NaN'))
    with pytest.raises(ValueError, match=r'camera\.json: fx, fy, cx, cy: expected 4 finite.*nan'):
        build()
    camera.write_text(json.dumps(dict(CAMERA, extrinsic={})))
    with pytest.raises(
        ValueError, match=r'camera\.json: baseline: expected a finite number, got noth'
    ):
        build()
    camera.write_text('{"intrinsic": ')
    with pytest.raises(ValueError, match=r'camera\.json is no readable json'):
        build()
    camera.write_text(json.dumps(CAMERA))
    disparity = tiny / 'disparity/test/ulm/ulm_000003_000019_disparity.png'
    disparity.unlink()
    with pytest.raises(FileNotFoundError, match=r'no ulm_000003_000019_disparity\.png in'):
        build()
    image = tiny / 'leftImg8bit/test/ulm/ulm_000003_000019_leftImg8bit.png'
    cv2.imwrite(str(image), np.zeros((512, 1024), np.uint8))
    with pytest.raises(ValueError, match=r'1024x512, but .*_camera\.json is for 2048x1024'):
        CityscapesDataset(str(tiny), frame_ids=(0,), split='test')


@pytest.mark.parametrize(
    'content, told',
    [
        (0, 'the content is 0, expected a mapping'),
        (CAMERA | dict(intrinsic='x'), "intrinsic is 'x', expected a mapping"),
        (CAMERA | dict(extrinsic=[1]), r'extrinsic is \[1\], expected a mapping'),
        (CAMERA | dict(extrinsic=dict(baseline=True)), 'baseline: expected a finite number, got T'),
        (CAMERA | dict(intrinsic=dict(fx='1')), r"fx, fy, cx, cy: expected 4 finite .*'1'"),
    ],
)
def test_another_camera_file_is_named(real_tree, content, told):
    path = real_tree / f'camera/train/aachen/{REAL}_camera.json'
    path.unlink()
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf'{REAL}_camera\.json: {told}.*; restore'):
        CityscapesDataset(str(real_tree), frame_ids=(0,), test_mode=True)

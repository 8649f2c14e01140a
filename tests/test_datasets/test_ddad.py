"""DDAD: the real scenes, and what is broken in copies of them."""

import json
import shutil

import numpy as np
import pytest

from mmscd.datasets import DDADDataset, LoadFrames

INDEX = 'scene_dataset_v1.0.json'


@pytest.fixture
def root(mmscd_data):
    return mmscd_data / 'layout_samples/ddad/test_scene'


def matrix(rotation, translation):
    """T of a DGP pose, the rotation from two vectors instead of the usual formula."""
    w, v = rotation['qw'], np.array([rotation[f'q{a}'] for a in 'xyz'])
    T = np.eye(4)
    for i, e in enumerate(np.eye(3)):
        T[:3, i] = e + 2 * w * np.cross(v, e) + 2 * np.cross(v, np.cross(v, e))
    T[:3, 3] = [translation[a] for a in 'xyz']
    return T


def test_real_projection(root):
    """The depth map against a loop over the points, through the world."""
    dataset = DDADDataset(
        str(root), frame_ids=(0,), split='train', index_file=INDEX, test_mode=True
    )
    assert len(dataset) == 6  # two scenes of three samples
    info = dataset.get_data_info(4)
    results = LoadFrames()(info)
    depth = results['gt_depth']
    assert depth.shape == (1216, 1936) and results['frames'][0].shape == (1216, 1936, 3)
    scene = json.loads(next((root / 'scene_02').glob('scene_*.json')).read_text())
    data = {d['key']: d for d in scene['data']}
    rows = [data[key] for key in scene['samples'][1]['datum_keys']]
    image = next(d['datum']['image'] for d in rows if d['id']['name'] == 'CAMERA_01')
    cloud = next(d['datum']['point_cloud'] for d in rows if d['id']['name'] == 'LIDAR')
    assert info['img_path'].endswith(image['filename'])
    camera = matrix(**image['pose'])
    with np.load(root / 'scene_02' / cloud['filename']) as stored:
        points = stored['data'][:, :3]
    world = points @ matrix(**cloud['pose'])[:3, :3].T + matrix(**cloud['pose'])[:3, 3]
    local = (world - camera[:3, 3]) @ camera[:3, :3]
    naive, K = np.zeros(depth.shape), results['K']
    for x, y, z in local[local[:, 2] > 0].tolist():
        u, v = round(K[0, 0] * x / z + K[0, 2]), round(K[1, 1] * y / z + K[1, 2])
        if 0 <= u < 1936 and 0 <= v < 1216 and not 0 < naive[v, u] < z:
            naive[v, u] = z
    assert (depth > 0).sum() > 5000
    assert ((depth > 0) != (naive > 0)).sum() <= 4  # ties of rounding
    both = (depth > 0) & (naive > 0)
    np.testing.assert_allclose(np.median(np.abs(depth - naive)[both]), 0, atol=1e-4)
    # the road before the car: near at the bottom, far at the horizon
    road = [depth[rows, 700:1200] for rows in (slice(1100, 1216), slice(650, 700))]
    near, far = (np.median(part[part > 0]) for part in road)
    assert 4 < near < 12 and far > 20


def test_neighbours_cameras_and_cache(root, tmp_path):
    dataset = DDADDataset(str(root), index_file=INDEX)
    assert len(dataset) == 2  # of three samples only the middle one has both neighbours
    info = dataset.get_data_info(0)
    stamps = [int(path[-21:-4].strip('/')) for path in info['frame_paths']]
    assert stamps[1] < stamps[0] < stamps[2]
    # scene_01 has no CAMERA_09
    options = dict(index_file=INDEX, camera='camera_09', frame_ids=(0,), test_mode=True)
    dataset = DDADDataset(str(root), gt_cache_dir=str(tmp_path), **options)
    assert len(dataset) == 3
    first = dataset.get_data_info(0)['gt_depth']
    assert list(tmp_path.rglob('*.npz'))
    np.testing.assert_array_equal(dataset.get_data_info(0)['gt_depth'], first)


def test_bad_input_is_named(root, tmp_path):
    copy = tmp_path / 'ddad'
    shutil.copytree(root, copy, copy_function=shutil.copyfile)
    for path in (copy, *copy.rglob('*')):
        path.chmod(0o755 if path.is_dir() else 0o644)

    def build(**options):
        options = (
            dict(index_file=INDEX, frame_ids=(0,), test_mode=True, serialize_data=False) | options
        )
        return DDADDataset(str(copy), **options)

    with pytest.raises(FileNotFoundError, match=r'ddad\.json does not exist; restore'):
        build(index_file='ddad.json')
    with pytest.raises(ValueError, match="no scenes of split 'test'"):
        build(split='test')
    with pytest.raises(ValueError, match='no scene of split .* has CAMERA_02'):
        build(camera='CAMERA_02')
    scan = next((copy / 'scene_01/point_cloud/LIDAR').iterdir())
    scan.write_bytes(scan.read_bytes()[:1000])
    dataset = build()
    paths = [dataset.data_list[i]['lidar_path'] for i in range(len(dataset))]
    index = [path.endswith(scan.name) for path in paths].index(True)
    with pytest.raises(OSError, match=rf'{scan.name} (cannot be read|is damaged)'):
        dataset[index]
    calibration = next((copy / 'scene_01/calibration').iterdir())
    text = calibration.read_text()
    calibration.write_text(text.replace('2167.6926048451924', 'NaN'))
    with pytest.raises(ValueError, match=r'json: CAMERA_01: fx, fy, cx, cy: expected 4 finite'):
        build()
    calibration.write_text(text)
    scene = next((copy / 'scene_01').glob('scene_*.json'))
    scene.write_text(scene.read_text().replace('0.28545389542589', 'NaN'))
    with pytest.raises(ValueError, match=r'scene_.*json: pose of .*npz: rotation: expected 4'):
        build()


@pytest.mark.parametrize(
    'pattern, change, told',
    [
        ('scene_dataset_v1.0.json', lambda c: 'x', "the content is 'x', expected a mapping"),
        (
            'scene_dataset_v1.0.json',
            lambda c: c['scene_splits']['0']['filenames'].insert(0, None),
            r"scene_splits\['0'\]\.filenames\[0\] is None, expected text",
        ),
        ('scene_01/scene_*.json', lambda c: c.pop('data'), 'data is missing, expected a list'),
        ('scene_01/scene_*.json', lambda c: c['data'].append(c['data'][0]), 'two data of one key'),
        (
            'scene_01/scene_*.json',
            lambda c: c['samples'][0]['datum_keys'].append('x'),
            r"lacks the data \['x'\] of a sample",
        ),
        (
            'scene_01/scene_*.json',
            lambda c: [d['datum'].update(image=5) for d in c['data']],
            'datum .*: image is 5, expected a mapping',
        ),
        (
            'scene_01/scene_*.json',
            lambda c: [
                d['datum']['point_cloud'].pop('pose')
                for d in c['data']
                if 'point_cloud' in d['datum']
            ],
            'datum .*: point_cloud.pose is missing, expected a mapping',
        ),
        ('scene_01/calibration/*.json', lambda c: c.pop('names'), 'names is missing, expected a l'),
        (
            'scene_01/calibration/*.json',
            lambda c: c.update(intrinsics=[]),
            r"has no CAMERA_01, only \['",
        ),
    ],
)
def test_another_structure_is_named(root, tmp_path, pattern, change, told):
    copy = tmp_path / 'ddad'
    shutil.copytree(root, copy, copy_function=shutil.copyfile)
    for path in (copy, *copy.rglob('*')):
        path.chmod(0o755 if path.is_dir() else 0o644)
    file = next(copy.glob(pattern))
    content = json.loads(file.read_text())
    changed = change(content)
    file.write_text(json.dumps(changed if changed == 'x' else content))
    with pytest.raises(ValueError, match=rf'{file.name}\b.*{told}.*; restore it from DDAD\.tar'):
        DDADDataset(str(copy), index_file=INDEX, frame_ids=(0,), test_mode=True)

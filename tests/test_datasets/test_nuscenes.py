"""nuScenes: the real sample in the official tables, and a tiny tree of two scenes."""

import json

import cv2
import numpy as np
import pytest

from mmscd.datasets import LoadFrames, NuScenesDataset
from mmscd.datasets.formats.nuscenes_splits import SPLITS
from mmscd.datasets.formats.nuscenes_tables import read_records
from mmscd.datasets.nuscenes import scene_condition

NAME = 'n015-2018-07-24-11-22-45+0800'


def quaternion(R):
    """(w, x, y, z) of a rotation matrix, by its largest component."""
    K = np.array(
        [
            [R[0, 0] - R[1, 1] - R[2, 2], 0, 0, 0],
            [R[0, 1] + R[1, 0], R[1, 1] - R[0, 0] - R[2, 2], 0, 0],
            [R[0, 2] + R[2, 0], R[1, 2] + R[2, 1], R[2, 2] - R[0, 0] - R[1, 1], 0],
            [R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1], np.trace(R)],
        ]
    )
    x, y, z, w = np.linalg.eigh(K)[1][:, -1]
    return [w, x, y, z]


def pose_row(token, T, **others):
    return dict(
        token=token, rotation=quaternion(T[:3, :3]), translation=T[:3, 3].tolist(), **others
    )


def write_tables(root, scenes, sensors, poses, data):
    """The tables; `data`: (token, sample, sensor, pose, key frame, file, (w, h), prev, next)."""
    folder = root / 'v1.0-trainval'
    folder.mkdir(parents=True)
    keys = ('token', 'sample_token', 'calibrated_sensor_token', 'ego_pose_token', 'is_key_frame')
    keys += ('filename', 'width', 'height', 'prev', 'next')
    samples = []
    for tokens in scenes.values():
        tokens = tokens[1]
        for i, token in enumerate(tokens):
            following = tokens[i + 1] if i + 1 < len(tokens) else ''
            samples.append(dict(token=token, next=following))
    tables = dict(
        scene=[
            dict(name=name, description=text, first_sample_token=tokens[0])
            for name, (text, tokens) in scenes.items()
        ],
        sample=samples,
        sensor=[dict(token=s, channel=s) for s in ('CAM_FRONT', 'LIDAR_TOP', 'RADAR_FRONT')],
        calibrated_sensor=sensors,
        ego_pose=poses,
        sample_data=[dict(zip(keys, row, strict=True)) for row in data],
    )
    for table, rows in tables.items():
        (folder / f'{table}.json').write_text(json.dumps(rows))


@pytest.fixture
def real_tree(mmscd_data, tmp_path):
    """The real sample behind the official tables, and what its json says."""
    folder = mmscd_data / 'layout_samples/nuscenes'
    stored = json.loads((folder / f'{NAME}.json').read_text())
    camera = stored['images']['CAM_FRONT']
    ego_camera, lidar_camera = np.array(camera['cam2ego']), np.array(camera['lidar2cam'])
    global_ego = np.array(stored['ego2global'])
    ego_lidar = np.array(stored['lidar_points']['lidar2ego'])
    # where the vehicle was when the camera fired
    then = global_ego @ ego_lidar @ np.linalg.inv(lidar_camera) @ np.linalg.inv(ego_camera)
    files = {}
    for channel, name in (
        ('CAM_FRONT', camera['img_path']),
        ('LIDAR_TOP', stored['lidar_points']['lidar_path']),
    ):
        files[channel] = f'samples/{channel}/{name}'
        (tmp_path / f'samples/{channel}').mkdir(parents=True)
        (tmp_path / files[channel]).symlink_to(folder / name)
    sensors = [
        pose_row('c', ego_camera, sensor_token='CAM_FRONT', camera_intrinsic=camera['cam2img']),
        pose_row('l', ego_lidar, sensor_token='LIDAR_TOP', camera_intrinsic=[]),
    ]
    poses = [pose_row('camera time', then), pose_row('lidar time', global_ego)]
    data = [
        ('a', 's', 'c', 'camera time', True, files['CAM_FRONT'], 1600, 900, '', ''),
        ('b', 's', 'l', 'lidar time', True, files['LIDAR_TOP'], 0, 0, '', ''),
    ]
    write_tables(tmp_path, {'scene-0103': ('Parked cars', ['s'])}, sensors, poses, data)
    return tmp_path, stored


def test_real_sample(real_tree):
    """sensor -> ego -> global -> ego -> camera gives the transform that the sample states, and the
    depth map that a loop over the points gives."""
    root, stored = real_tree
    dataset = NuScenesDataset(str(root), frame_ids=(0,), split='val', test_mode=True)
    assert len(dataset) == 1
    info = dataset.get_data_info(0)
    expected = np.array(stored['images']['CAM_FRONT']['lidar2cam'])
    np.testing.assert_allclose(info['T_camera_lidar'], expected, atol=2e-5)
    assert info['condition'] == 'day' and info['camera_size'] == (1600, 900)
    results = LoadFrames()(info)
    assert results['frames'][0].shape == (900, 1600, 3)
    K = np.array(stored['images']['CAM_FRONT']['cam2img'])
    np.testing.assert_array_equal(results['K'], K)
    points = np.fromfile(info['lidar_path'], '<f4').reshape(-1, 5)[:, :3].astype(np.float64)
    naive = np.zeros((900, 1600))
    points = points @ expected[:3, :3].T + expected[:3, 3]
    for x, y, z in points[points[:, 2] > 1].tolist():
        u, v = round(K[0, 0] * x / z + K[0, 2]), round(K[1, 1] * y / z + K[1, 2])
        if 0 <= u < 1600 and 0 <= v < 900 and not 0 < naive[v, u] < z:
            naive[v, u] = z
    depth = results['gt_depth']
    assert depth.dtype == np.float32 and 2000 < (depth > 0).sum() < 5000
    # the quaternion's rounding moves a few points over the border of a pixel
    same = (depth > 0) == (naive > 0)
    assert same.mean() > 0.9999
    both = (depth > 0) & (naive > 0)
    assert np.median(np.abs(depth - naive)[both]) < 1e-3
    # the road in front of the vehicle, at a plausible place
    assert 4 < np.median(depth[800:][depth[800:] > 0]) < 15


@pytest.fixture
def tiny(tmp_path):
    """Two scenes: three keyframes by day with a sweep between, one at night."""
    K = [[20.0, 0, 16], [0, 20, 10], [0, 0, 1]]
    # camera z is x of the vehicle, x is -y, y is -z
    ego_camera = np.array([[0, 0, 1, 1.5], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1.0]])
    ego_lidar = np.eye(4)
    ego_lidar[2, 3] = 1.8
    sensors = [
        pose_row('c', ego_camera, sensor_token='CAM_FRONT', camera_intrinsic=K),
        pose_row('l', ego_lidar, sensor_token='LIDAR_TOP', camera_intrinsic=[]),
        pose_row('r', np.eye(4), sensor_token='RADAR_FRONT', camera_intrinsic=[]),
    ]
    scenes = {
        'scene-0001': ('Rain, truck', ['r1']),
        'scene-0003': ('Cars', ['s1', 's2', 's3']),
        'scene-0012': ('Night, difficult lighting, rain', ['n1']),
    }
    chain = [('s1', True), ('s1', False), ('s2', True), ('s3', True)]
    poses, data = [], []
    for i, (sample, key) in enumerate(chain):
        name = f'{"samples" if key else "sweeps"}/CAM_FRONT/log__CAM_FRONT__{i}.jpg'
        links = [f'c{j}' if 0 <= j < len(chain) else '' for j in (i - 1, i + 1)]
        data.append((f'c{i}', sample, 'c', f'p{i}', key, name, 32, 20, *links))
    data.append(('c8', 'n1', 'c', 'p0', True, 'samples/CAM_FRONT/log__CAM_FRONT__8.jpg', 32, 20))
    data.append(('c9', 'r1', 'c', 'p0', True, 'samples/CAM_FRONT/log__CAM_FRONT__9.jpg', 32, 20))
    data[-2:] = [(*row, '', '') for row in data[-2:]]
    for sample, pose in (('s1', 'q'), ('s2', 'p2'), ('s3', 'p3'), ('n1', 'p0'), ('r1', 'p0')):
        name = f'samples/LIDAR_TOP/{sample}.pcd.bin'
        data.append((f'l{sample}', sample, 'l', pose, True, name, 0, 0, '', ''))
        (tmp_path / 'samples/LIDAR_TOP').mkdir(parents=True, exist_ok=True)
        point = np.array([[11.5, 0, -0.3, 0, 0], [6.5, 0, -0.3, 0, 0]], '<f4')
        point.tofile(tmp_path / name)
    data.append(('x', 's1', 'r', 'p0', True, 'samples/RADAR_FRONT/x.pcd', 0, 0, '', ''))
    for i in range(4):
        T = np.eye(4)
        T[0, 3] = i
        poses.append(pose_row(f'p{i}', T))
    T = np.eye(4)
    T[0, 3] = 2  # the vehicle is 2 m further when the LiDAR of s1 fires
    poses.append(pose_row('q', T))
    for row in data:
        if row[5].endswith('.jpg'):
            path = tmp_path / row[5]
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.full((20, 32, 3), 90, np.uint8))
    write_tables(tmp_path, scenes, sensors, poses, data)
    return tmp_path


def test_ego_motion_and_nearest_point(tiny):
    """Two points straight ahead of the camera: the nearer one wins, and 2 m of motion between the
    time stamps are added."""
    dataset = NuScenesDataset(str(tiny), frame_ids=(0,), split='val', test_mode=True)
    assert [dataset.get_data_info(i)['condition'] for i in range(4)] == ['day'] * 3 + ['night']
    expected = np.zeros((20, 32))
    expected[10, 16] = 5
    np.testing.assert_allclose(dataset.get_data_info(1)['gt_depth'], expected)
    expected[10, 16] = 7
    np.testing.assert_allclose(dataset.get_data_info(0)['gt_depth'], expected)


def test_neighbours_conditions_and_splits(tiny):
    def frames(**options):
        dataset = NuScenesDataset(str(tiny), **options)
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
        return [[path.rsplit('__')[-1] for path in info['frame_paths']] for info in infos]

    # at the ends of a scene there is no neighbour
    assert frames() == [['2.jpg', '1.jpg', '3.jpg']]
    assert frames(neighbours='keyframes') == [['2.jpg', '0.jpg', '3.jpg']]
    assert frames(frame_ids=(0,), conditions=['night']) == [['8.jpg']]
    assert frames(frame_ids=(0,), conditions=['rain']) == [['9.jpg']]
    assert frames(frame_ids=(0,), split='train') == [['9.jpg']]
    assert len(frames(frame_ids=(0,))) == 5
    assert scene_condition('Rain at Night') == 'night' and scene_condition('Rainy') == 'rain'
    assert {name: len(scenes) for name, scenes in SPLITS.items()} == dict(
        train=700, val=150, test=150, mini_train=8, mini_val=2
    )
    assert not SPLITS['train'] & SPLITS['val'] and not SPLITS['test'] & SPLITS['val']


def test_split_of_image_names_or_tokens(tiny, tmp_path):
    split = tmp_path / 'list.txt'
    split.write_text('log__CAM_FRONT__8\n\nsamples/CAM_FRONT/log__CAM_FRONT__2.jpg\ns1\n')
    dataset = NuScenesDataset(str(tiny), str(split), frame_ids=(0,))
    assert [dataset.get_data_info(i)['token'] for i in range(3)] == ['n1', 's2', 's1']
    split.write_text('s1\nlog__CAM_FRONT__1\n')
    with pytest.raises(ValueError, match=r'list\.txt:2: .*names no keyframe'):
        NuScenesDataset(str(tiny), str(split), frame_ids=(0,))


def edit(root, table, change):
    path = root / f'v1.0-trainval/{table}.json'
    rows = json.loads(path.read_text())
    change(rows)
    path.write_text(json.dumps(rows))


def test_bad_input_is_named(tiny):
    def build(**options):
        return NuScenesDataset(str(tiny), frame_ids=(0,), test_mode=True, **options)

    with pytest.raises(ValueError, match="split must be one of .*'vall'"):
        build(split='vall')
    with pytest.raises(FileNotFoundError, match=r'v1\.0-mini/scene\.json does not exist; unpack'):
        build(version='v1.0-mini')
    with pytest.raises(ValueError, match='none of the scenes'):
        build(split='mini_val')
    scan = tiny / 'samples/LIDAR_TOP/s2.pcd.bin'
    scan.write_bytes(scan.read_bytes()[:30])
    with pytest.raises(ValueError, match=r's2\.pcd\.bin has 30 bytes.*multiple of 20'):
        build(split='val')[1]
    scan.unlink()
    dataset = build(split='val')
    assert len(dataset) == 3  # not asked for by name
    with pytest.raises(ValueError, match="neighbours must be one of .*'all'"):
        build(neighbours='all')
    edit(tiny, 'calibrated_sensor', lambda rows: rows[0]['camera_intrinsic'][0].__setitem__(0, 'x'))
    with pytest.raises(ValueError, match=r'calibrated_sensor\.json: camera_intrinsic of c'):
        build()


def test_nan_pose_and_dangling_token(tiny):
    edit(tiny, 'ego_pose', lambda rows: rows[2]['translation'].__setitem__(1, float('nan')))
    with pytest.raises(ValueError, match=r'ego_pose\.json: p2: translation: expected 3 finite'):
        NuScenesDataset(str(tiny), frame_ids=(0,), test_mode=True)
    edit(tiny, 'ego_pose', lambda rows: rows.pop(2))
    with pytest.raises(ValueError, match=r"ego_pose\.json has no record 'p2'"):
        NuScenesDataset(str(tiny), frame_ids=(0,), test_mode=True)


def refused(root, table, change, told, **options):
    """What is said of tables of which one was changed."""
    before = (root / f'v1.0-trainval/{table}.json').read_text()
    edit(root, table, change)
    options = dict(frame_ids=(0,), test_mode=True) | options
    with pytest.raises(ValueError, match=rf'{table}\.json.*{told}.*unpack the metadata'):
        NuScenesDataset(str(root), **options)
    (root / f'v1.0-trainval/{table}.json').write_text(before)


def put(row, **values):
    return lambda rows: rows[row].update(values)


def test_records_of_another_kind_are_named(tiny):
    refused(tiny, 'scene', put(0, description=[]), r'description is \[\], expected text')
    refused(tiny, 'sample', lambda rows: rows[1].pop('next'), "record 's1': next is missing")
    refused(tiny, 'sensor', put(0, token={}), r'record \{\}: token is \{\}, expected text')
    refused(tiny, 'sensor', put(0, channel=None), 'channel is None, expected text')
    refused(
        tiny, 'calibrated_sensor', put(0, camera_intrinsic=7), "record 'c': camera_intrinsic is 7"
    )
    refused(
        tiny, 'sample_data', put(0, calibrated_sensor_token=[1]), r'_token is \[1\], expected text'
    )
    refused(
        tiny, 'sample_data', put(0, is_key_frame=1), "record 'c0': is_key_frame is 1, expected true"
    )
    refused(tiny, 'sample_data', put(0, width=32.0), 'width is 32.0, expected a whole number')
    refused(
        tiny, 'ego_pose', put(0, rotation='abc'), "record 'p0': rotation is 'abc', expected a list"
    )


def test_references_between_tables_are_checked(tiny):
    twice = "has the record '{}' twice"
    refused(tiny, 'sample', lambda rows: rows.append(dict(rows[1])), twice.format('s1'))
    refused(tiny, 'sample_data', lambda rows: rows.append(dict(rows[1])), twice.format('c1'))
    refused(tiny, 'sample_data', put(2, sample_token='s1'), "has two keyframes of 's1'")
    # the other table lacks what this one names
    for table, change, other in (
        ('scene', put(0, first_sample_token=''), "sample.json has no record '' that scene"),
        ('sample', put(1, next='x'), "sample.json has no record 'x' that sample"),
        ('calibrated_sensor', put(2, sensor_token='x'), "sensor.json has no record 'x' that calib"),
        ('sample_data', put(0, sample_token='x'), "sample.json has no record 'x' that sample_data"),
        ('sample_data', put(0, ego_pose_token='x'), "ego_pose.json has no record 'x' that sampl"),
        ('sample_data', put(0, calibrated_sensor_token='x'), "_sensor.json has no record 'x' tha"),
    ):
        before = (tiny / f'v1.0-trainval/{table}.json').read_text()
        edit(tiny, table, change)
        with pytest.raises(ValueError, match=other):
            NuScenesDataset(str(tiny), frame_ids=(0,), test_mode=True)
        (tiny / f'v1.0-trainval/{table}.json').write_text(before)


def test_circles_have_an_end(tiny):
    refused(tiny, 'sample', put(2, next='s1'), "leads from 's1' back to it")
    circle = lambda rows: rows[1].update(next='c1')  # noqa: E731
    refused(
        tiny,
        'sample_data',
        circle,
        "leads from 'c1' back",
        frame_ids=(0, 1),
        neighbours='keyframes',
    )


@pytest.mark.parametrize('indent', [None, 0, 2])
@pytest.mark.parametrize('chunk', [1, 7, 60, 10**6])
def test_tables_are_read_in_pieces(tmp_path, indent, chunk):
    # braces in a string and in a nested object are places where a cut is wrong
    rows = [dict(token=str(i), text=f'a}}, {{{i}', pose=[i, dict(x=i)]) for i in range(9)]
    path = tmp_path / 'table.json'
    path.write_text(json.dumps(rows, indent=indent))
    kept = read_records(path, lambda row: int(row['token']) % 3, 'mend it', chunk)
    assert kept == [row for i, row in enumerate(rows) if i % 3]


@pytest.mark.parametrize(
    'text, message',
    [
        ('', r'table\.json is no readable json .*; mend it'),
        ('[{"a": 1}, {"a": 2}', r'no readable json .*line 1 column 20.*; mend it'),
        ('[{"a": 1} {"a": 2}]', 'no readable json .*; mend it'),
        ('[{"a": 1}, {"a": 2}] []', 'no readable json .*; mend it'),
        ('{"a": 1}', 'no table'),
        ('[1, {"a": 1}]', 'no table'),
        ('[{"a": 1}, [2]]', 'no table'),
    ],
)
def test_broken_tables_are_named(tmp_path, text, message):
    path = tmp_path / 'table.json'
    path.write_text(text)
    for chunk in (3, 1000):
        with pytest.raises(ValueError, match=message):
            read_records(path, lambda row: True, 'mend it', chunk)
    path.write_text('[]')
    assert read_records(path, lambda row: True, 'mend it') == []

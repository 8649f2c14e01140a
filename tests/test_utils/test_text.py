"""Text files as people's editors leave them."""

import json

import numpy as np
import pytest

from mmscd.datasets import KITTIRawDataset
from mmscd.datasets.formats.camera_file import CameraFile
from mmscd.datasets.formats.kitti_calibration import read_calibration_file
from mmscd.datasets.kitti_odometry import read_poses
from mmscd.evaluation.comparison import read_results
from mmscd.evaluation.functional import METRIC_NAMES
from mmscd.evaluation.matching import read_condition_file
from mmscd.robustness.ablation_runs import read_variants
from mmscd.utils.schema import read_json
from mmscd.utils.text import parse_yaml, read_text
from mmscd.video.calibration_import import read_colmap

MARK = b'\xef\xbb\xbf'


def read_split(path):
    dataset = KITTIRawDataset.__new__(KITTIRawDataset)
    dataset.ann_file = str(path)
    return list(dataset.read_split())[0][1]


POSE = '1 0 0 0.5 0 1 0 0 0 0 1 0\n'
METRICS = dict.fromkeys(METRIC_NAMES, 0.5)
RESULTS = json.dumps(dict(protocol='p', images=[dict(METRICS, img_path='a', n_pixels=1)]))
CAMERA = 'fx: 7\nfy: 7\ncx: 4\ncy: 2\nwidth: 9\nheight: 5\n'
READERS = {
    'split': ('date/drive 1 l\n', read_split, 'date/drive 1 l'),
    'poses': (POSE, lambda path: read_poses(path)[0, 0, 3], 0.5),
    'calibration': ('P2: 1.5 2\n', lambda path: read_calibration_file(path)['P2'][0], 1.5),
    'conditions': ('a fog\n', lambda path: read_condition_file(path, ['a']), {0: ['fog']}),
    'colmap': ('1 PINHOLE 9 5 7 7 4.5 2.5\n', lambda path: read_colmap(path).K[0, 2], 4.0),
    'camera': (CAMERA, lambda path: CameraFile(path).intrinsics((9, 5))[0, 0], 7),
    'json': ('{"a": 1}', lambda path: read_json(path, 'mend it'), dict(a=1)),
    'results': (RESULTS, lambda path: read_results(path)[0], 'p'),
    'variants': ('a: [x=1]\n', lambda path: read_variants(path, 'c', ['a']), [['a', 'c', 'x=1']]),
}


@pytest.mark.parametrize('kind', READERS)
def test_a_byte_order_mark_is_skipped(tmp_path, kind):
    text, read, expected = READERS[kind]
    path = tmp_path / 'file.txt'
    path.write_bytes(MARK + text.encode())
    assert np.array_equal(read(path), expected)


def test_what_is_no_text_is_named(tmp_path):
    path = tmp_path / 'split.txt'
    path.write_bytes('straße 1 l'.encode('latin-1'))
    with pytest.raises(ValueError, match=r"split\.txt is no text \('utf-8' codec .*; save it"):
        read_text(path)
    path.write_bytes(b'a/b\0 1 l')
    with pytest.raises(
        ValueError, match=r'split\.txt is no text \(it holds bytes of zero\); save it'
    ):
        read_text(path)


def test_yaml_knows_all_floats(tmp_path):
    text = '[7.2e2, 72e1, 1e-4, -.5E+3, 1_0.5, 0x10, 12, 1e, e5, 1.2.3e4, v1e4, "1e3"]'
    expected = [720.0, 720.0, 1e-4, -500.0, 10.5, 16, 12, '1e', 'e5', '1.2.3e4', 'v1e4', '1e3']
    assert parse_yaml(text, 'it') == expected
    path = tmp_path / 'camera.yaml'
    path.write_text(CAMERA.replace('fx: 7', 'fx: 7.2e2'))
    assert CameraFile(path).intrinsics((9, 5))[0, 0] == 720
    with pytest.raises(ValueError, match='^table is not yaml: '):
        parse_yaml('a: [', 'table')


@pytest.mark.parametrize(
    'text',
    ['!!bool x', "!!int ''", '!!timestamp abc', '2001-99-99', '[' * 3000, '? [a]\n: 1', '0' * 5000]
    + ['a: 1\na: 2', '!!python/object/apply:os.system [id]', '&a [*b]', '!!float ""'],
)
def test_what_is_no_plain_yaml_is_named(text):
    text = text if text[0] != '0' else f'9{text}'
    with pytest.raises(ValueError, match='^table is not yaml: '):
        parse_yaml(text, 'table')


def test_yaml_keys_come_once():
    with pytest.raises(ValueError, match="the key 'fx' comes twice"):
        parse_yaml('fx: 1\nfy: 2\nfx: 3', 'it')
    base = 'base: &b {a: 1}\n'
    assert parse_yaml(base + 'own: {<<: *b, a: 2}', 'it') == dict(base=dict(a=1), own=dict(a=2))

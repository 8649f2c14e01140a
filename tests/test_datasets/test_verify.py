"""verify_dataset: names what is missing and what cannot be read; says when all is well."""

import runpy

import cv2
import numpy as np
import pytest

WEATHERS = ('sunny', 'cloudy', 'rainy', 'foggy')
TOOL = 'tools/misc/verify_dataset.py'


@pytest.fixture
def verify(request, capsys):
    """Runs the tool in this process; returns its exit status and what it printed."""
    main = runpy.run_path(str(request.config.rootpath / TOOL))['main']

    def run(*args):
        return main([str(arg) for arg in args]), capsys.readouterr().out

    return run


@pytest.fixture
def copy(tmp_path):
    """Two images per weather, and a config with the official number."""
    depth = np.zeros((20, 40), np.uint16)
    depth[2, 3] = 256 * 30
    for weather in WEATHERS:
        for kind, picture in (
            ('left-image', np.full((20, 40, 3), 60, np.uint8)),
            ('depth-map', depth),
        ):
            folder = tmp_path / weather / f'{kind}-full-size'
            folder.mkdir(parents=True)
            for i in range(2):
                cv2.imwrite(str(folder / f'2018-01-01-00-00-00_{i}.png'), picture)
    config = tmp_path / 'config.py'
    config.write_text(
        f"""val_dataloader = dict(dataset=dict(
    type='DrivingStereoDataset', data_root={str(tmp_path)!r}, frame_ids=(0,), test_mode=True,
    pipeline=[dict(type='LoadFrames')]))
test_dataloader = val_dataloader
official_sizes = dict(val_dataloader=8)
"""
    )
    return tmp_path


def test_a_whole_copy(copy, run_tool):
    result = run_tool(TOOL, copy / 'config.py')
    assert 'all is well' in result.stdout and 'test_dataloader' not in result.stdout
    row = next(line for line in result.stdout.splitlines() if 'val_dataloader' in line)
    assert [cell.strip() for cell in row.strip('|').split('|')] == [
        'val_dataloader',
        '8',
        '8',
        '8',
        '40x20',
        '0.12 %',
        '0',
    ]


def test_every_fault_is_named(copy, verify):
    (copy / 'rainy/depth-map-full-size/2018-01-01-00-00-00_0.png').unlink()
    (copy / 'sunny/left-image-full-size/2018-01-01-00-00-00_1.png').write_bytes(b'')
    depth = copy / 'foggy/depth-map-full-size/2018-01-01-00-00-00_1.png'
    cv2.imwrite(str(depth), np.ones((20, 40), np.uint8))
    empty = copy / 'cloudy/depth-map-full-size/2018-01-01-00-00-00_1.png'
    cv2.imwrite(str(empty), np.zeros((20, 40), np.uint16))
    status, printed = verify(copy / 'config.py')
    assert status == 1
    for text in (
        'missing: rainy/2018-01-01-00-00-00_0: no 2018-01-01-00-00-00_0.png in',
        '7 complete samples, the official number is 8',
        'sunny/left-image-full-size/2018-01-01-00-00-00_1.png is empty',
        'foggy/depth-map-full-size/2018-01-01-00-00-00_1.png must be a single-channel 16-bit PNG',
        'cloudy/left-image-full-size/2018-01-01-00-00-00_1.png: its ground truth is empty',
        '5 problems',
    ):
        assert text in printed, text


def test_no_data_at_all(copy, verify):
    option = ('--cfg-options', 'val_dataloader.dataset.data_root=/nowhere')
    status, printed = verify(copy / 'config.py', '--loaders', 'val', *option)
    assert status == 1 and "data_root '/nowhere' does not exist" in printed


def test_ends_of_sequences_are_no_fault(tmp_path, verify):
    """Two sequences behind a wrapper; one has a frame that is cut off."""
    for name in ('09', '10'):
        folder = tmp_path / f'sequences/{name}/image_2'
        folder.mkdir(parents=True)
        for frame in range(3):
            cv2.imwrite(str(folder / f'{frame:06d}.png'), np.full((18, 30, 3), 80, np.uint8))
        calibration = 'P2: 20 0 15 0 0 20 9 0 0 0 1 0\nP3: 20 0 15 -9 0 20 9 0 0 0 1 0\n'
        (tmp_path / f'sequences/{name}/calib.txt').write_text(calibration)
    broken = tmp_path / 'sequences/10/image_2/000001.png'
    broken.write_bytes(broken.read_bytes()[:-20])
    part = f"dict(type='KITTIOdometryDataset', data_root={str(tmp_path)!r}, sequences=['{{}}'])"
    parts = ', '.join(part.format(name) for name in ('09', '10'))
    config = tmp_path / 'config.py'
    config.write_text(
        f"train_dataloader = dict(dataset=dict(type='ConcatDataset', datasets=[{parts}]))\n"
    )
    status, printed = verify(config)
    assert status == 1
    assert 'train_dataloader 0: note: 2 samples are left out' in printed
    assert '000001.png is truncated or unreadable' in printed
    assert '1 problems' in printed

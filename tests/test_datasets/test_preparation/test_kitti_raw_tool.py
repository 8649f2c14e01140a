"""prepare_kitti_raw: archives to tree and back, resuming, ground truth, the cache, bad input."""

import importlib
import os
import re
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmscd.datasets.kitti_raw import KITTIRawDataset
from mmscd.datasets.preparation import archives as unpacking
from mmscd.datasets.preparation import cache
from mmscd.datasets.transforms import LoadFrames, PackDepthInputs, ResizeFrames
from mmscd.evaluation.ground_truth_file import GroundTruthFile

TOOLS = Path(__file__).parents[3] / 'tools' / 'dataset_converters'
DATE, DRIVE = '2011_09_26', '2011_09_26_drive_0001_sync'
DATA = os.environ.get('MMSCD_DATA')


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module('prepare_kitti_raw')


@pytest.fixture
def fails(tool):
    """Runs a command that must end with one sentence, and returns that."""

    def run(arguments):
        with pytest.raises(SystemExit) as caught:
            tool.main(arguments)
        error = str(caught.value)
        assert error.startswith('error: ') and '\n' not in error
        return error

    return run


@pytest.fixture
def archives(kitti, tmp_path):
    """The official division: a drive, and the calibration of its date; with grey images."""
    folder = tmp_path / 'downloads'
    folder.mkdir()
    files = sorted(p for p in kitti.rglob('*') if p.is_file())
    with (
        zipfile.ZipFile(folder / f'{DRIVE}.zip', 'w', zipfile.ZIP_DEFLATED) as drive,
        zipfile.ZipFile(folder / f'{DATE}_calib.zip', 'w') as calib,
    ):
        for file in files:
            name = file.relative_to(kitti).as_posix()
            (calib if 'calib' in name else drive).write(file, name)
        drive.writestr(f'{DATE}/{DRIVE}/image_00/data/0000000000.png', b'grey')
        drive.writestr(f'{DATE}/{DRIVE}/image_02/', b'')
        drive.writestr(f'{DATE}/{DRIVE}/image_02/timestamps.txt', b'2011-09-26 13:02:25.9\n')
    return folder


def tree(root):
    return {p.relative_to(root).as_posix(): p for p in root.rglob('*') if p.is_file()}


def stamps(folder):
    return {name: (p.stat().st_mtime_ns, p.stat().st_size) for name, p in tree(folder).items()}


def test_unpacks_and_leaves_the_source_alone(tool, kitti, archives, tmp_path, capsys):
    out, before = tmp_path / 'out', stamps(archives)
    tool.main(['unpack', str(archives), '--out', str(out)])
    made, source = tree(out), tree(kitti)
    assert set(made) == set(source) | {f'{DATE}/{DRIVE}/image_02/timestamps.txt'}
    assert all(made[name].read_bytes() == source[name].read_bytes() for name in source)
    assert stamps(archives) == before
    first = stamps(out)
    tool.main(['unpack', str(archives), '--out', str(out)])
    assert f'0 files written to {out}, {len(made)} were there' in capsys.readouterr().out
    assert stamps(out) == first
    # what is half there is done again
    scan = out / f'{DATE}/{DRIVE}/velodyne_points/data/0000000001.bin'
    scan.write_bytes(scan.read_bytes()[:50])
    tool.main(['unpack', str(archives), '--out', str(out)])
    assert '1 files written' in capsys.readouterr().out
    dataset = KITTIRawDataset(str(out), None, frame_ids=(0, 's'), test_mode=True)
    assert len(dataset) == 8


def test_an_interrupted_run_goes_on(tool, archives, tmp_path, monkeypatch, capsys):
    write, calls = unpacking.atomic_write, []

    def stop(target, data, sync):
        if len(calls) == 5:
            raise KeyboardInterrupt
        calls.append(target)
        write(target, data, sync)

    monkeypatch.setattr(unpacking, 'atomic_write', stop)
    out = tmp_path / 'out'
    arguments = ['unpack', str(archives), '--out', str(out)]
    assert tool.main(arguments) == 130
    assert 'the same command goes on' in capsys.readouterr().err
    done = stamps(out)
    assert len(done) == 5
    monkeypatch.setattr(unpacking, 'atomic_write', write)
    tool.main(arguments)
    assert {name: stamps(out)[name] for name in done} == done
    total = len(tree(out))
    assert f'{total - 5} files written to {out}, 5 were there' in capsys.readouterr().out


def test_jpeg_and_parts(tool, kitti, archives, tmp_path, capsys):
    out = tmp_path / 'out'
    options = ['--jpeg', '95', '--parts', 'image_02']
    tool.main(['unpack', str(archives), '--out', str(out), *options])
    names = set(tree(out))
    assert f'{DATE}/{DRIVE}/image_02/data/0000000003.jpg' in names
    assert not any('image_03' in n or 'velodyne' in n or n.endswith('.png') for n in names)
    for i in range(6):
        path = f'{DATE}/{DRIVE}/image_02/data/{i:010d}'
        a, b = cv2.imread(str(kitti / f'{path}.png')), cv2.imread(str(out / f'{path}.jpg'))
        assert np.abs(a.astype(int) - b).mean() < 6
    capsys.readouterr()
    tool.main(['unpack', str(archives), '--out', str(out), *options])
    assert '0 files written' in capsys.readouterr().out


def test_bad_archives_are_one_sentence_and_nothing_is_written(fails, archives, tmp_path):
    out = tmp_path / 'out'

    def error_of(path, out=out):
        return fails(['unpack', str(archives), str(path), '--out', str(out)])

    bad = tmp_path / 'bad.zip'
    bad.write_bytes((archives / f'{DRIVE}.zip').read_bytes()[:-30])
    assert 'bad.zip' in error_of(bad) and not tree(out)
    bad.write_bytes(b'')
    assert '(0 bytes) cannot be read' in error_of(bad)
    for name, text in (('../x.txt', 'unsafe'), ('/etc/x', 'unsafe'), ('a/b.txt', 'nothing of KIT')):
        with zipfile.ZipFile(bad, 'w') as content:
            content.writestr(name, b'x')
        assert text in error_of(bad)
    name = f'{DATE}/{DRIVE}/image_02/data/0000000000.png'
    for change, text in (
        (dict(external_attr=0o120777 << 16), 'is a link'),
        (dict(flag_bits=1), 'is encrypted'),
        (dict(file_size=1 << 40), 'claims 1099512 MB'),
        (dict(filename=name), 'is there twice'),
    ):
        with zipfile.ZipFile(bad, 'w') as content:
            for member in (name, name.replace('00.png', '01.png')):
                content.writestr(member, b'x')
            for key, value in change.items():  # of the second one, in the table of contents
                setattr(content.infolist()[1], key, value)
        assert text in (error := error_of(bad)) and 'bad.zip' in error
    # letters that are none, in the name of a member
    data = (archives / f'{DRIVE}.zip').read_bytes()
    place = data.rindex(b'image_00') if b'image_00' in data else data.rindex(DRIVE.encode())
    flags = data.rindex(b'PK\x01\x02', 0, place) + 8
    data = bytearray(data)
    data[place], data[flags + 1] = 0xA0, data[flags + 1] | 8
    bad.write_bytes(data)
    assert 'bad.zip' in (error := error_of(bad)) and 'cannot be read' in error
    assert 'does not exist' in error_of(tmp_path / 'none.zip')
    empty = tmp_path / 'empty'
    empty.mkdir()
    assert 'has no .zip file' in error_of(empty)
    with zipfile.ZipFile(bad, 'w') as content:
        content.writestr(name, b'no image')
    error = fails(['unpack', str(bad), '--out', str(out), '--jpeg', '95'])
    assert f'{name} in {bad} is truncated or unreadable' in error
    assert not tree(out)
    # a flipped byte inside: found when it is unpacked, and what came before is kept
    data = bytearray((archives / f'{DRIVE}.zip').read_bytes())
    with zipfile.ZipFile(archives / f'{DRIVE}.zip') as content:
        last = content.infolist()[-5]
    data[last.header_offset + 100] ^= 255
    bad.write_bytes(data)
    assert 'is damaged' in error_of(bad)
    (tmp_path / 'file').write_text('')
    assert 'cannot write to' in error_of(archives, tmp_path / 'file')


def test_ground_truth_both_ways(tool, fails, kitti, split, tmp_path, capsys):
    lines = split(*(f'{DATE}/{DRIVE} {i} {s}' for i, s in ((3, 'l'), (1, 'r'), (2, 'l'))))
    options = dict(frame_ids=(0,), test_mode=True)
    truth = KITTIRawDataset(str(kitti), lines, **options)
    out = tmp_path / 'gt' / 'three.npz'
    arguments = ['export-gt', '--data-root', str(kitti), '--split', lines, '--out']
    tool.main([*arguments, str(out)])
    stored = GroundTruthFile(out)
    assert stored.names == [
        f'{DATE}/{DRIVE}/image_0{c}/data/000000000{i}' for c, i in ((2, 3), (3, 1), (2, 2))
    ]
    folder = tmp_path / 'png'
    for _ in range(2):
        tool.main([*arguments, str(folder)])
    images = KITTIRawDataset(
        str(kitti), lines, gt='improved', improved_gt_root=str(folder), **options
    )
    for i in range(3):
        depth = truth.get_data_info(i)['gt_depth']
        assert depth.any() and (stored.depth(i) == depth).all()
        assert (stored.intrinsics(i) == truth.get_data_info(i)['K_ori']).all()
        rounded = images.get_data_info(i)['gt_depth']
        assert ((rounded > 0) == (depth > 0)).all()
        assert np.abs(rounded - depth).max() <= 0.5 / 256 + 1e-6
    assert 'ground truth of 3 images in' in capsys.readouterr().out
    (kitti / DATE / DRIVE / 'velodyne_points/data/0000000002.bin').write_bytes(b'123')
    assert '0000000002.bin has 3 bytes' in fails([*arguments, str(out)])
    assert len(GroundTruthFile(out)) == 3  # the old one is whole
    (kitti / DATE / DRIVE / 'velodyne_points/data/0000000002.bin').unlink()
    with pytest.raises(SystemExit, match=r'split\.txt:3: .*no 0000000002\.bin'):
        tool.main([*arguments, str(out)])


@pytest.mark.parametrize('form', ['png', 'jpg'])
def test_training_on_the_cache_gives_the_same_samples(
    tool, fails, kitti, split, tmp_path, capsys, form
):
    size = (32, 16)
    lines = split(*(f'{DATE}/{DRIVE} {i} {s}' for i in range(1, 4) for s in 'lr'))
    out = tmp_path / 'cache'
    arguments = ['cache', '--data-root', str(kitti), '--split', lines, '--size', '32x16']
    arguments += ['--frame-ids', '0', '-1', '1', 's', '--format', form, '--out', str(out)]
    before = stamps(kitti)
    tool.main(arguments)
    printed = capsys.readouterr().out
    # frames 0 to 4 of either camera
    assert '10 images written' in printed
    assert stamps(kitti) == before
    pipeline = [LoadFrames(), ResizeFrames(size), PackDepthInputs()]
    options = dict(frame_ids=(0, -1, 1, 's'), pipeline=pipeline)
    source = KITTIRawDataset(str(kitti), lines, **options)
    cached = KITTIRawDataset(str(out), lines, **options)
    assert len(source) == len(cached) == 6
    for i in range(6):
        a, b = source[i]['inputs'], cached[i]['inputs']
        assert b['K'].numpy() == pytest.approx(a['K'].numpy(), rel=1e-6)
        assert b['T_stereo'].numpy() == pytest.approx(a['T_stereo'].numpy(), abs=1e-6)
        difference = np.abs(a['frames'].numpy().astype(int) - b['frames'].numpy())
        assert difference.max() == 0 if form == 'png' else difference.mean() < 3
    # goes on, and does not mix
    done = stamps(out)
    victim = next(out.rglob(f'*.{form}'))
    victim.unlink()
    tool.main(arguments)
    assert '1 images written' in capsys.readouterr().out
    assert set(stamps(out)) == set(done)
    for changed, text in (
        (['--size', '64x32'], 'was begun with'),
        (['--out', str(kitti)], 'must not hold one another'),
        (['--out', str(kitti / 'cache')], 'must not hold one another'),
    ):
        assert text in fails([*arguments, *changed])


def test_broken_image_is_named_and_what_is_done_stays(tool, fails, kitti, tmp_path):
    victim = kitti / DATE / DRIVE / 'image_02/data/0000000003.png'
    victim.write_bytes(victim.read_bytes()[:200])
    out = tmp_path / 'cache'
    arguments = ['cache', '--data-root', str(kitti), '--size', '32x16', '--out', str(out)]
    assert '0000000003.png is truncated' in fails(arguments)
    assert len(list(out.rglob('*.jpg'))) == 3
    for options in (['--size', '0x16'], ['--size', '32'], ['--quality', '0']):
        with pytest.raises(SystemExit):
            tool.main([*arguments, *options])


@pytest.mark.parametrize('key', ['P_rect_02', 'S_rect_02'])
def test_a_damaged_calibration_is_named(fails, kitti, tmp_path, key):
    path = next(kitti.rglob('calib_cam_to_cam.txt'))
    text = re.sub(rf'({key}:.*) \S+', r'\1', path.read_text())
    path.write_text(text)
    arguments = ['cache', '--data-root', str(kitti), '--size', '32x16', '--out']
    assert f'calib_cam_to_cam.txt: {key}' in fails([*arguments, str(tmp_path / 'cache')])


@pytest.mark.skipif(not DATA, reason='MMSCD_DATA (a drive of KITTI raw) is not set')
def test_cache_of_a_real_drive(tmp_path):
    root = Path(DATA) / 'kitti_raw'
    paths = cache.list_frames(root, [], (0,), ['2011_09_26_drive_9001_sync'])[:8]
    out, size = tmp_path / 'cache', (320, 96)
    assert cache.build_cache(paths, root, out, cache.CacheSettings(size), workers=2) == 8
    small = [(out / path.relative_to(root)).with_suffix('.jpg') for path in paths]
    assert sum(p.stat().st_size for p in small) < sum(p.stat().st_size for p in paths) / 4
    dataset = KITTIRawDataset(str(out), None, gt=None, drives=['2011_09_26_drive_9001_sync'])
    K = dataset.get_data_info(0)['K_ori']
    assert K[0, 0] == pytest.approx(721.5377 * 320 / 1242)
    assert K[1, 2] == pytest.approx((172.854 + 0.5) * 96 / 375 - 0.5)

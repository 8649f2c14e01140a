"""Frames that are prepared once: the same samples, draws and order as without, bit for bit."""

import itertools
import os
import re
import shutil

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import ConcatDataset, default_collate
from mmengine.registry import init_default_scope

from mmscd.datasets import KITTIRawDataset, SampleIndex, prepared, samplers
from mmscd.datasets.formats import frame_folder
from mmscd.datasets.transforms import LoadFrames
from mmscd.engine.launch import DepthRunner

DATA = os.environ.get('MMSCD_DATA')
DATE, DRIVE = '2011_09_26', '2011_09_26_drive_0001_sync'
PIPELINE = [
    dict(type='LoadFrames'),
    dict(type='CropFrames', window=(0.0, 0.9, None, None)),
    dict(type='ResizeFrames', size=(32, 16)),
    dict(type='PackDepthInputs'),
]
BASE = dict(sampler=dict(type='KeyedInfiniteSampler'), collate_fn=dict(type='default_collate'))
WAYS = [
    dict(packed='packed'),
    dict(on_device=True),
    dict(packed='packed', on_device=True),
    dict(packed='packed', num_workers=2),
    dict(packed='packed', on_device=True, num_workers=2, persistent_workers=True),
]


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmscd')


@pytest.fixture
def two_dates(kitti):
    """Two cameras each, images of two sizes, JPEGs at one of them."""
    second = kitti / '2011_09_28'
    shutil.copytree(kitti / DATE, second)
    (second / DRIVE).rename(second / DRIVE.replace('_26', '_28'))
    calibration = second / 'calib_cam_to_cam.txt'
    calibration.write_text(calibration.read_text().replace('6.4e+01 2.4e+01', '60 20'))
    for path in second.rglob('*.png'):
        cv2.imwrite(str(path.with_suffix('.jpg')), cv2.imread(str(path))[:20, :60])
        path.unlink()
    return kitti


@pytest.fixture
def loader(two_dates, tmp_path):
    """Builds the data loader of a training."""

    def build(packed=None, on_device=False, pipeline=PIPELINE, root=two_dates, **options):
        dataset = dict(type='KITTIRawDataset', data_root=str(root), frame_ids=(0, -1, 1, 's'))
        if packed:
            dataset['packed'] = str(tmp_path / packed)
        config = dict(
            batch_size=5,
            num_workers=0,
            dataset=dict(dataset, on_device=on_device, pipeline=pipeline),
            **BASE,
        )
        return DepthRunner.build_dataloader(dict(config, **options), seed=7)

    return build


def check_equal(batch, usual):
    assert set(batch) == set(usual) and set(batch['inputs']) == set(usual['inputs'])
    for key, value in usual['inputs'].items():
        found = batch['inputs'][key]
        assert found.dtype == value.dtype and torch.equal(found.cpu(), value), key
        assert found.is_contiguous()
    for one, other in zip(batch['data_samples'], usual['data_samples'], strict=True):
        assert type(one) is type(other) and one.metainfo == other.metainfo
        assert set(one.all_keys()) == set(other.all_keys())


@pytest.mark.parametrize('way', WAYS, ids=str)
def test_batches_are_those_of_the_usual_loader(loader, way):
    """Over two passes of 16 samples, with a batch that takes of both."""
    usual, other = loader(), loader(**way)
    assert len(other.dataset) == 16
    for batch, expected in itertools.islice(zip(other, usual, strict=True), 7):
        check_equal(batch, expected)
    expects = 0 if way.get('on_device') else way.get('num_workers', 0)
    assert other.num_workers == expects and not other.pin_memory


@pytest.mark.parametrize('way', WAYS[1::2], ids=str)
def test_the_stream_is_entered_anywhere_and_shared_by_ranks(loader, way, monkeypatch):
    whole = list(itertools.islice(loader(batch_size=1), 40))
    for rank in range(2):
        monkeypatch.setattr(samplers, 'get_dist_info', lambda rank=rank: (rank, 2))
        other = loader(batch_size=1, **way)
        other.sampler.skip(7)
        for batch, expected in zip(other, whole[14 + rank :: 2], strict=False):
            check_equal(batch, expected)


def test_samples_by_themselves_and_joined(loader):
    usual, other = loader().dataset, loader(on_device=True).dataset
    joined = ConcatDataset([other, other])
    for index, source in ((3, other), (19, joined)):
        index = SampleIndex(index, -77)
        one, expected = source[index], usual[index - (index // 16) * 16]
        check_equal(default_collate([one]), default_collate([expected]))
    np.random.seed(0)
    keys = [other[3]['inputs']['draw_key'] for _ in range(2)]
    np.random.seed(0)
    assert keys == [usual[3]['inputs']['draw_key'] for _ in range(2)] and keys[0] != keys[1]


@pytest.mark.parametrize('way', WAYS, ids=str)
def test_joined_sets_of_two_cameras_are_one_batch(two_dates, tmp_path, way):
    """A batch mixes frames of several stores; one part has steps of its own."""
    drives = ['2011_09_26_drive_0001_sync', '2011_09_28_drive_0001_sync']
    parts = [dict(type='KITTIRawDataset', drives=[drive]) for drive in drives]
    parts[1]['pipeline'] = [PIPELINE[0], *PIPELINE[2:]]
    common = dict(type='JoinedDataset', datasets=parts, data_root=str(two_dates))
    common |= dict(pipeline=PIPELINE, frame_ids=(0, 1))
    way, loaders = dict(way), []
    store = {key: way.pop(key) for key in ('packed', 'on_device') if key in way}
    if 'packed' in store:
        store['packed'] = str(tmp_path / 'packed')
    for more, options in ((store, way), ({}, {})):
        config = dict(batch_size=7, num_workers=0, dataset=dict(common, **more), **BASE)
        loaders.append(DepthRunner.build_dataloader(dict(config, **options), seed=2))
    for batch, expected in itertools.islice(zip(*loaders, strict=True), 5):
        check_equal(batch, expected)
    assert len(list(tmp_path.glob('packed/*/frames.bin'))) == (2 if 'packed' in store else 0)


def test_a_folder_serves_every_choice_of_its_frames_and_reads_no_image(
    two_dates, tmp_path, monkeypatch
):
    options = dict(pipeline=PIPELINE, packed=str(tmp_path / 'packed'))
    KITTIRawDataset(str(two_dates), frame_ids=(0, -1, 1, 's'), **options)
    moved = two_dates.rename(tmp_path / 'elsewhere')
    read = []
    whole = LoadFrames.__call__
    monkeypatch.setattr(LoadFrames, '__call__', lambda self, r: [read.append(1), whole(self, r)][1])
    mono = KITTIRawDataset(str(moved), frame_ids=(0, 1), sides=('r',), **options)
    assert len(mono) == 10 and len(read) == 1
    batch = mono.__getitems__([SampleIndex(i, i) for i in range(10)])
    assert len(read) == 2  # one sample of each camera
    plain = KITTIRawDataset(str(moved), frame_ids=(0, 1), sides=('r',), pipeline=PIPELINE)
    check_equal(batch, default_collate([plain[SampleIndex(i, i)] for i in range(10)]))


@pytest.mark.parametrize('way', [dict(packed='packed'), dict(on_device=True)], ids=str)
def test_what_changes_with_every_sample_is_refused(loader, kitti, way, tmp_path):
    zoom = [PIPELINE[0], dict(type='RandomZoom'), *PIPELINE[2:]]
    with pytest.raises(ValueError, match='but RandomZoom may change each of them every time: leav'):
        loader(pipeline=zoom, **way)
    with pytest.raises(ValueError, match='from LoadFrames to PackDepthInputs'):
        loader(pipeline=PIPELINE[:3], **way)
    with pytest.raises(ValueError, match=r'frames of .*come out|comes out as \(3, 18, 60\)'):
        loader(pipeline=[*PIPELINE[:2], PIPELINE[3]], **way)
    options = dict(way, pipeline=PIPELINE, test_mode=True)
    with pytest.raises(ValueError, match='for training: leave both out where with_gt=True'):
        KITTIRawDataset(str(kitti), **options)
    assert not list(tmp_path.glob('packed/*')) or not list(tmp_path.glob('packed/*.json'))


def test_frames_of_a_sample_of_two_sizes_are_refused(kitti):
    path = kitti / DATE / DRIVE / 'image_02/data/0000000003.png'
    cv2.imwrite(str(path), cv2.imread(str(path))[:, :60])
    dataset = KITTIRawDataset(str(kitti), sides=('l',), pipeline=PIPELINE, on_device=True)
    with pytest.raises(ValueError, match='must have one size and kind: .*03.png.*24, 60, 24, 60'):
        dataset.__getitems__([SampleIndex(1, 0)])
    with pytest.raises(ValueError, match='must have one size and kind'):
        KITTIRawDataset(str(kitti), sides=('l',), pipeline=PIPELINE)[1]


@pytest.mark.parametrize('device', ['cpu', 'cuda'])
def test_what_does_not_fit_is_refused_before_it_is_read(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'mem_get_info', lambda device: (3 * 10**9, 9 * 10**9))
    with pytest.raises(ValueError, match=f'needs 1000000.0 GB .* GB of the {device} are free: set'):
        prepared._check_memory(10**15, torch.device(device))
    prepared._check_memory(10**6, torch.device(device))


class TestFolder:
    @pytest.fixture
    def folder(self, loader, tmp_path):
        loader(packed='packed')
        return tmp_path / 'packed'

    def error_of(self, loader, **options):
        with pytest.raises((ValueError, OSError)) as caught:
            loader(packed='packed', **options)
        text = str(caught.value)
        assert '\n' not in text and 'packed' in text
        return text

    def test_of_another_size_is_named_with_both(self, folder, loader):
        other = [*PIPELINE[:2], dict(type='ResizeFrames', size=(64, 32)), PIPELINE[3]]
        text = self.error_of(loader, pipeline=other)
        assert re.search(r"ResizeFrames\({'size': \(32, 16\)}\), the pipeline asks for", text)
        assert "'size': (64, 32)" in text and 'name another folder' in text

    def test_truncated_or_foreign_is_named(self, folder, loader):
        frames, index = folder / frame_folder.FRAMES, folder / frame_folder.INDEX
        content, listing = frames.read_bytes(), index.read_text()
        for broken in (content[:-1], content + b'x', b''):
            frames.write_bytes(broken)
            assert f'frames.bin has {len(broken)} bytes' in self.error_of(loader)
        frames.unlink()
        assert 'frames.bin has 0 bytes' in self.error_of(loader)
        frames.write_bytes(content)
        for text, words in (
            (listing[:-9], 'no readable json'),
            ('{"frames": []}', 'pipeline is missing'),
            (listing.replace('16,', '-16,'), 'tells of frames of'),
            (listing.replace('data/0000000003', 'data/0000000099'), 'lacks 4 of 24 frames'),
        ):
            index.write_text(text)
            assert words in self.error_of(loader)
        index.unlink()
        (folder / 'photo.jpg').write_bytes(b'')
        assert 'no index.json, but photo.jpg: it holds no packed frames' in self.error_of(loader)

    def test_images_that_have_changed_since_are_found(self, folder, loader, two_dates):
        for path in two_dates.rglob('*.png'):
            cv2.imwrite(str(path), 255 - cv2.imread(str(path)))
        assert 'is not the image that was packed: remove the folder' in self.error_of(loader)

    def test_one_that_was_interrupted_is_written_anew(self, folder, loader):
        content = (folder / frame_folder.FRAMES).read_bytes()
        (folder / frame_folder.INDEX).unlink()
        (folder / frame_folder.FRAMES).write_bytes(b'of another set')
        (folder / f'.{frame_folder.FRAMES}.part').write_bytes(content * 2)
        loader(packed='packed')
        assert (folder / frame_folder.FRAMES).read_bytes() == content
        names = {path.name for path in folder.iterdir()}
        assert names == {frame_folder.FRAMES, frame_folder.INDEX, frame_folder.LOCK}

    def test_a_broken_image_is_named_and_nothing_stays(self, loader, two_dates, tmp_path):
        victim = two_dates / DATE / DRIVE / 'image_03/data/0000000002.png'
        victim.write_bytes(victim.read_bytes()[:100])
        with pytest.raises(OSError, match=r'image_03/data/0000000002.png is truncated'):
            loader(packed='packed')
        assert [path.name for path in (tmp_path / 'packed').iterdir()] == [frame_folder.LOCK]

    def test_full_disks_are_told_before_and_after(self, loader, monkeypatch, tmp_path):
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, 'disk_usage', lambda folder: usage._replace(free=1000))
        assert 'the frames take 36864 bytes, 1000 are free; make room' in self.error_of(loader)
        with (
            open('/dev/full', 'wb', buffering=0) as full,
            pytest.raises(OSError, match=r'cannot write /dev/full: No space left on device; make'),
        ):
            frame_folder._put(full, np.zeros(9, np.uint8))

    def test_processes_that_begin_together_write_once(self, loader, tmp_path):
        children, numbers = [], tmp_path / 'numbers'
        numbers.touch()
        for _ in range(3):
            if not (pid := os.fork()):
                status = 1
                try:
                    loader(packed='packed')
                    with numbers.open('a') as stream:
                        stream.write(
                            f'{(tmp_path / "packed" / frame_folder.FRAMES).stat().st_ino}\n'
                        )
                    status = 0
                finally:
                    os._exit(status)
            children.append(pid)
        assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 3
        seen = numbers.read_text().split()
        assert len(seen) == 3 and len(set(seen)) == 1
        check_equal(next(iter(loader(packed='packed'))), next(iter(loader())))


@pytest.mark.skipif(not DATA, reason='real data: MMSCD_DATA is not set')
def test_a_real_drive(tmp_path):
    pipeline = [PIPELINE[0], dict(type='ResizeFrames', size=(640, 192)), PIPELINE[3]]
    options = dict(drives=['2011_09_26_drive_9001_sync'], gt=None, indices=6, pipeline=pipeline)
    root = f'{DATA}/kitti_raw'
    usual = KITTIRawDataset(root, **options)
    indices = [SampleIndex(i, i) for i in range(6)]
    expected = default_collate([usual[i] for i in indices])
    for way in (dict(packed=str(tmp_path / 'packed')), dict(on_device=True)):
        check_equal(KITTIRawDataset(root, **options, **way).__getitems__(indices), expected)
    assert (tmp_path / 'packed' / frame_folder.FRAMES).stat().st_size == 8 * 3 * 192 * 640

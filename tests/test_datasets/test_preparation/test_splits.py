"""The official splits: checksums, local sources, doing nothing twice."""

import os
import runpy
from pathlib import Path

import pytest

from mmscd.datasets.preparation import splits

TOOL = Path(__file__).parents[3] / 'tools/dataset_converters/prepare_kitti_splits.py'
DATA = os.environ.get('MMSCD_DATA')


@pytest.fixture
def main():
    return runpy.run_path(str(TOOL))['main']


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Two small splits in place of the official ones, and a folder that has them."""
    source = tmp_path / 'source'
    known = {}
    for name, data in (('a/train.txt', b'one\ntwo\n'), ('b/test.txt', b'three\n')):
        (source / name).parent.mkdir(parents=True)
        (source / name).write_bytes(data)
        known[name] = (splits.sha256(data), data.count(b'\n'))
    monkeypatch.setattr(splits, 'SPLITS', known)
    return source


def error_of(main, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return str(caught.value)


@pytest.mark.parametrize('by_url', [False, True])
def test_copies_checks_and_skips(main, small, tmp_path, capsys, by_url):
    out = tmp_path / 'out'
    arguments = ['--url', small.as_uri()] if by_url else ['--source', str(small)]
    main(['--out', str(out), *arguments])
    assert (out / 'a/train.txt').read_bytes() == b'one\ntwo\n'
    (out / 'b/test.txt').write_bytes(b'spoilt')
    (small / 'a/train.txt').unlink()  # not asked again
    capsys.readouterr()
    main(['--out', str(out), *arguments])
    printed = capsys.readouterr().out
    assert 'a/train.txt: 2 lines, already right' in printed
    assert (out / 'b/test.txt').read_bytes() == b'three\n'


def test_wrong_checksum_names_both(main, small, tmp_path):
    (small / 'a/train.txt').write_bytes(b'other\n')
    error = error_of(main, '--out', tmp_path / 'out', '--source', small)
    assert splits.sha256(b'other\n') in error and splits.SPLITS['a/train.txt'][0] in error
    assert 'a/train.txt from' in error and not (tmp_path / 'out/a/train.txt').exists()


def test_unreachable(main, small, tmp_path):
    url = (tmp_path / 'nowhere').as_uri()
    error = error_of(main, '--out', tmp_path / 'out', '--url', url)
    assert f'cannot fetch {url}/a/train.txt' in error and '--source' in error
    error = error_of(main, '--out', tmp_path / 'out', '--source', tmp_path)
    assert 'does not exist; --source needs' in error


@pytest.mark.skipif(not DATA, reason='MMSCD_DATA (the official split files) is not set')
def test_official_files(tmp_path):
    splits.prepare_splits(tmp_path, Path(DATA) / 'splits')
    for name, (_, lines) in splits.SPLITS.items():
        assert len((tmp_path / name).read_text().splitlines()) == lines

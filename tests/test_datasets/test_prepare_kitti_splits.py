"""The prepare tool: checksums, local sources, doing nothing twice."""

import importlib.util
import os
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / 'tools/dataset_converters/prepare_kitti_splits.py'
DATA = os.environ.get('MMSCD_DATA')


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('prepare_kitti_splits', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def small(tool, tmp_path, monkeypatch):
    """Two small splits in place of the official ones, and a folder that has them."""
    source = tmp_path / 'source'
    splits = {}
    for name, data in (('a/train.txt', b'one\ntwo\n'), ('b/test.txt', b'three\n')):
        (source / name).parent.mkdir(parents=True)
        (source / name).write_bytes(data)
        splits[name] = (tool.sha256(data), data.count(b'\n'))
    monkeypatch.setattr(tool, 'SPLITS', splits)
    return source


@pytest.mark.parametrize('by_url', [False, True])
def test_copies_checks_and_skips(tool, small, tmp_path, capsys, by_url):
    out = tmp_path / 'out'
    arguments = ['--url', small.as_uri()] if by_url else ['--source', str(small)]
    assert tool.main(['--out', str(out), *arguments]) == 0
    assert (out / 'a/train.txt').read_bytes() == b'one\ntwo\n'
    (out / 'b/test.txt').write_bytes(b'spoilt')
    (small / 'a/train.txt').unlink()  # not asked again
    capsys.readouterr()
    assert tool.main(['--out', str(out), *arguments]) == 0
    printed = capsys.readouterr().out
    assert 'a/train.txt: 2 lines, already right' in printed
    assert (out / 'b/test.txt').read_bytes() == b'three\n'


def test_wrong_checksum_names_both(tool, small, tmp_path, capsys):
    (small / 'a/train.txt').write_bytes(b'other\n')
    assert tool.main(['--out', str(tmp_path / 'out'), '--source', str(small)]) == 1
    error = capsys.readouterr().err
    assert tool.sha256(b'other\n') in error and tool.SPLITS['a/train.txt'][0] in error
    assert 'a/train.txt from' in error and not (tmp_path / 'out/a/train.txt').exists()


def test_unreachable(tool, small, tmp_path, capsys):
    url = (tmp_path / 'nowhere').as_uri()
    assert tool.main(['--out', str(tmp_path / 'out'), '--url', url]) == 1
    error = capsys.readouterr().err
    assert f'cannot fetch {url}/a/train.txt' in error and '--source' in error
    assert tool.main(['--out', str(tmp_path / 'out'), '--source', str(tmp_path)]) == 1
    assert 'does not exist; --source needs' in capsys.readouterr().err


@pytest.mark.skipif(not DATA, reason='MMSCD_DATA (the official split files) is not set')
def test_official_files(tool, tmp_path):
    tool.prepare(tmp_path, Path(DATA) / 'splits', tool.URL)
    for name, (_, lines) in tool.SPLITS.items():
        assert len((tmp_path / name).read_text().splitlines()) == lines

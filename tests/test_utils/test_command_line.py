"""What the command lines of the tools share."""

import argparse

import pytest

from mmscd.utils.command_line import check_writable, parse_model, parse_size


def test_sizes():
    assert parse_size('640x192') == (640, 192)
    for text in ('640', '640x', '640x192x3', 'axb', '0x192', '640x-1'):
        with pytest.raises(argparse.ArgumentTypeError, match='must look like 640x192'):
            parse_size(text)


def test_models():
    assert parse_model('SCD=a.py,w=1.pth') == ('SCD', 'a.py', 'w=1.pth')
    assert parse_model('a b=mmscd::x/y,z.py,c.pth') == ('a b', 'mmscd::x/y,z.py', 'c.pth')
    for text in ('a.py,w.pth', 'SCD=a.py', '=a,b', 'SCD=,b'):
        with pytest.raises(argparse.ArgumentTypeError, match='NAME=CONFIG,CHECKPOINT'):
            parse_model(text)


def test_folders_are_made_or_refused(tmp_path):
    check_writable(tmp_path / 'a' / 'b')
    assert list((tmp_path / 'a').iterdir()) == [tmp_path / 'a' / 'b']
    assert not any((tmp_path / 'a' / 'b').iterdir())
    (tmp_path / 'file').write_text('x')
    with pytest.raises(OSError, match=r'cannot write to .*file.*choose another folder'):
        check_writable(tmp_path / 'file')

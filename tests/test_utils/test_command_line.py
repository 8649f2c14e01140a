"""What the command lines of the tools share."""

import argparse
import json
import os
import signal
import subprocess
import sys

import pytest
import torch
from mmengine.registry import init_default_scope

from mmscd.geometry import proj
from mmscd.registry import MODELS
from mmscd.utils.command_line import (
    add_launcher,
    add_model,
    make_parser,
    output_file,
    output_folder,
    parse_model,
    parse_size,
    run_tool,
)
from mmscd.utils.config import load_config
from mmscd.utils.files import write_json
from mmscd.utils.names import check_names


def test_sizes():
    assert parse_size('640x192') == (640, 192)
    for text in ('640', '640x', '640x192x3', 'axb', '0x192', '640x-1'):
        with pytest.raises(argparse.ArgumentTypeError, match='must look like 640x192'):
            parse_size(text)


def test_a_long_sentence_keeps_its_ends():
    def run(args):
        raise OSError(f'file.txt:1 holds {"x" * 5000}; restore it')

    with pytest.raises(SystemExit) as ended:
        run_tool(argparse.ArgumentParser(), run, [])
    text = str(ended.value)
    assert len(text) < 1000 and text.startswith('error: file.txt:1') and text.endswith('restore it')


def test_names_out_of_files_do_not_steer_the_terminal():
    def run(args):
        raise OSError('x.pth: no place for layer\x11.0 and \x1b[31mstrasse\u00df\n\tnext')

    with pytest.raises(SystemExit) as ended:
        run_tool(argparse.ArgumentParser(), run, [])
    told = 'error: x.pth: no place for layer\\x11.0 and \\x1b[31mstrasse\u00df\n\tnext'
    assert ended.value.code == told


def test_names_that_no_terminal_can_show_are_printed_as_escapes():
    script = (
        'import argparse, sys; from mmscd.utils.command_line import run_tool; '
        "run_tool(argparse.ArgumentParser(), lambda args: print('lr\\ud800 \\u00df'), [])"
    )
    environment = os.environ | dict(PYTHONIOENCODING='ascii')
    command = [sys.executable, '-c', script]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (0, 'lr\\ud800 \\xdf\n'), done.stderr


def test_models():
    assert parse_model('SCD=a.py,w=1.pth') == ('SCD', 'a.py', 'w=1.pth')
    assert parse_model('a b=mmscd::x/y,z.py,c.pth') == ('a b', 'mmscd::x/y,z.py', 'c.pth')
    for text in ('a.py,w.pth', 'SCD=a.py', '=a,b', 'SCD=,b'):
        with pytest.raises(argparse.ArgumentTypeError, match='NAME=CONFIG,CHECKPOINT'):
            parse_model(text)


def test_outputs_are_looked_at_before_the_work(tmp_path):
    (tmp_path / 'file').write_text('x')

    def fails(kind, *words):
        parser = make_parser(None)
        parser.add_argument('--out', type=kind, default=tmp_path / 'file' / 'never looked at')
        with pytest.raises(SystemExit, match=f'^error: {words[1]}'):
            run_tool(parser, lambda args: pytest.fail('began to work'), ['--out', str(words[0])])

    fails(output_file, tmp_path, '.* is a folder: give the name of a file')
    fails(output_file, tmp_path / 'file' / 'x.json', 'cannot write to .*/file: Not a directory')
    fails(output_folder, tmp_path / 'file', 'cannot write to .*/file: .*choose another folder')
    fails(output_folder, '/proc/here', 'cannot write to /proc/here: ')
    parser = make_parser(None)
    parser.add_argument('--out', type=output_folder)
    new = tmp_path / 'new' / 'below'
    assert run_tool(parser, lambda args: args.out, ['--out', str(new)]) == new
    assert [path.name for path in tmp_path.iterdir()] == ['file']


class Unlucky(torch.utils.data.Dataset):
    """Data that are refused, by our code or by the system, or whose process is killed."""

    def __init__(self, way):
        self.way = way

    def __len__(self):
        return 1

    def __getitem__(self, index):
        if self.way == 'ours':
            check_names('corruption', ['frog'], ['fog'])
        if self.way == 'system':
            open('/nowhere/a.png')
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ('way', 'words'),
    [
        ('ours', r"unknown corruption 'frog': did you mean one of \['fog'\]\?$"),
        ('system', r".*No such file or directory: '/nowhere/a.png'$"),
        ('killed', r'DataLoader worker .pid(.s.)? \d+. .*as a rule.*memory.*: set num_workers'),
    ],
)
def test_errors_of_processes_that_load_data_are_one_sentence(way, words):
    loader = torch.utils.data.DataLoader(Unlucky(way), num_workers=1)
    with pytest.raises(SystemExit, match=f'^error: {words}') as told:
        run_tool(make_parser(None), lambda args: next(iter(loader)), [])
    assert 'Traceback' not in str(told.value) and '\n' not in str(told.value)


def test_a_full_disk_without_a_name_says_what_to_do():
    def run(args):
        file = '/dev/full'  # as mmengine calls it
        with open(file, 'w') as stream:
            stream.write('x')

    with pytest.raises(SystemExit, match='^error: cannot write /dev/full: No space left on device'):
        run_tool(make_parser(None), run, [])


def test_what_the_user_can_mend_is_one_sentence(tmp_path, monkeypatch):
    def refuse(args):
        write_json(tmp_path, {})

    with pytest.raises(SystemExit, match='^error: .*Is a directory') as caught:
        run_tool(make_parser(None), refuse, [])
    assert caught.value.code != 0
    with pytest.raises(SystemExit, match='^error: there is no config nothing.py'):
        run_tool(make_parser(None), lambda args: load_config('nothing.py'), [])
    monkeypatch.setenv('MMSCD_TRACEBACK', '1')
    with pytest.raises(FileNotFoundError):
        run_tool(make_parser(None), lambda args: load_config('nothing.py'), [])


def test_a_training_that_collapsed_says_so_in_one_sentence():
    def run(args):
        camera = torch.eye(3)[None]
        proj(
            torch.zeros(1, 3, 2, 2),
            torch.full((1, 1, 2, 2), torch.nan),
            torch.eye(4)[None],
            camera,
            camera,
        )

    with pytest.raises(SystemExit, match='^error: depth, pose or K is not finite'):
        run_tool(make_parser(None), run, [])


def test_errors_of_other_code_keep_their_traceback():
    def run(args):
        raise ValueError('not ours')

    parser = make_parser('Text.\n\n    kept as it is')
    assert 'Text.\n\n    kept as it is' in parser.format_help()
    with pytest.raises(ValueError, match='not ours'):
        run_tool(parser, run, [])
    with pytest.raises(json.JSONDecodeError):
        run_tool(make_parser(None), lambda args: json.loads('{'), [])


@pytest.mark.parametrize(
    ('config', 'told'),
    [
        (dict(type='ResNetEncodr'), '^error: ResNetEncodr is not in the mmscd::model registry'),
        (dict(type='ResNetEncoder', foo=1), '^error: ResNetEncoder.__init__.. got an unexpected'),
        (dict(type='ResNetEncoder', depth='18'), 'depth must be one of'),
        (None, 'cfg should be a dict'),
    ],
)
def test_what_a_component_of_a_config_refuses_is_one_sentence(config, told):
    init_default_scope('mmscd')
    with pytest.raises(SystemExit, match=told):
        run_tool(make_parser(None), lambda args: MODELS.build(config), [])


def test_other_code_that_fails_while_a_component_is_built_is_named(monkeypatch):
    init_default_scope('mmscd')
    monkeypatch.setattr('mmscd.models.ResNetEncoder.__init__', lambda self: int('abc'))
    with pytest.raises(SystemExit, match='^error: ResNetEncoder: invalid literal for int'):
        run_tool(make_parser(None), lambda args: MODELS.build(dict(type='ResNetEncoder')), [])


@pytest.mark.parametrize('fail', [lambda _: len(5), lambda _: {}['a']])
def test_a_slip_of_our_own_keeps_its_traceback(fail):
    with pytest.raises((TypeError, KeyError)):
        run_tool(make_parser(None), fail, [])


def test_arguments_of_models_and_launchers():
    parser = make_parser(None)
    add_model(parser, checkpoint=False)
    add_launcher(parser)
    args = parser.parse_args(['a.py', '--cfg-options', 'x.y=1', 'z=[2,3]', '--local-rank', '1'])
    assert (args.config, args.checkpoint, args.local_rank) == ('a.py', None, 1)
    assert args.cfg_options == {'x.y': 1, 'z': [2, 3]}


def test_ctrl_c_is_one_line(capsys):
    def run(args):
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stopped:
        run_tool(make_parser('doc'), run, [])
    assert stopped.value.code == 130 and capsys.readouterr().err == 'stopped by Ctrl-C\n'


def test_blanks_in_options_stay():
    parser = make_parser('')
    add_model(parser)
    words = ['x.root=/my data (1)/x', "q='a b'", 'z=[2, 3]', 'y=1, b', 't=(1,a)', 'n= 5', 'o=None']
    options = parser.parse_args(['a.py', 'b.pth', '--cfg-options', *words]).cfg_options
    assert options == {
        'x.root': '/my data (1)/x', 'q': 'a b', 'z': [2, 3], 'y': [1, 'b'], 't': (1, 'a'), 'n': 5,
        'o': None,
    }  # fmt: skip

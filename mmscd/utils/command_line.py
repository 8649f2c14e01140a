"""What the command lines of the tools share."""

from __future__ import annotations

import argparse
import errno
import io
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .files import check_output, check_writable

# of torch: an error of a process that loads data, and its death
_OF_WORKER, _LOST_WORKER = 'Original Traceback (most', 'DataLoader worker (pid'
_DISK_FULL = os.strerror(errno.ENOSPC)
TRACEBACK_VARIABLE = 'MMSCD_TRACEBACK'
_NAMES = (TypeError, KeyError)  # of components and their arguments
_PACKAGE = Path(__file__).resolve().parents[1]
_OWN = (_PACKAGE, *(_PACKAGE.parent / name for name in ('tools', 'projects', 'demo')))


def make_parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser whose help is a tool's docstring, laid out as it stands there."""
    as_it_stands = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(description=doc, formatter_class=as_it_stands)


def add_model(parser: argparse.ArgumentParser, checkpoint: bool | None = True) -> None:
    """Arguments `config`, `checkpoint` and `--cfg-options`; the checkpoint must be given (True),
    may be left out (False), or does not exist (None)."""
    from .option_action import OptionAction

    parser.add_argument('config', help='path, or package::path')
    if checkpoint is not None:
        parser.add_argument('checkpoint', nargs=None if checkpoint else '?', help='path or URL')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, help='key=value overrides')


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """Arguments of a tool that runs in several processes."""
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def add_precision(parser: argparse.ArgumentParser, default: str = 'float32') -> None:
    """How exactly a tool predicts."""
    said = 'auto: the fastest form of the network that is exact enough; default: %(default)s'
    parser.add_argument('--precision', choices=['auto', 'float32'], default=default, help=said)


def run_tool(
    parser: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace], Any],
    argv: Sequence[str] | None = None,
) -> Any:
    """Parse the command line (None: that of the process) and run; what the user can mend is one
    sentence and exit status 1, Ctrl-C is 130. `MMSCD_TRACEBACK=1` in the environment shows the
    traceback of an error; an error that other code raised, not about the config, keeps it."""
    logging.raiseExceptions = False  # a log on a full disk: what fails next is told
    if isinstance(sys.stdout, io.TextIOWrapper):  # names out of files may not fit its encoding
        sys.stdout.reconfigure(errors='backslashreplace')
    try:
        args = parser.parse_args(argv)
        if 'local_rank' in args:  # launchers of old pass it as an argument only
            os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
        return run(args)
    except KeyboardInterrupt:
        print('stopped by Ctrl-C', file=sys.stderr)
        sys.exit(130)
    except (OSError, ValueError, RuntimeError, ImportError, FloatingPointError, *_NAMES) as error:
        known, part = _is_known(error), _being_built(error)
        if os.environ.get(TRACEBACK_VARIABLE) == '1' or not (known or part):
            raise
        told = _sentence(error)
        sys.exit(f'error: {told}' if known or part in told else f'error: {part}: {told}')


def _being_built(error: BaseException) -> str:
    """The part of a config that mmengine was building when an error came up, '' for none."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    frames = [frame for frame in frames if 'mmengine' in Path(frame.f_code.co_filename).parts]
    built = [frame.f_locals for frame in frames if frame.f_code.co_name.startswith('build_')]
    return str(built[-1].get('obj_type', 'the config')) if built else ''


def _sentence(error: Exception) -> str:
    """What to tell of a known error."""
    text = str(error.args[0] if isinstance(error, KeyError) else error)
    if _OF_WORKER in text:
        text = re.split(r'\n(?:\w+\.)*\w+Error: ', text)[-1].rstrip()
    if text.startswith(_LOST_WORKER):
        told, mend = text.split('. ')[0].rstrip(' .'), 'set num_workers of the data loader lower'
        text = f'{told}, which as a rule means that memory or /dev/shm were full: {mend}'
    if isinstance(error, OSError) and error.filename is None and text.endswith(_DISK_FULL):
        # by code that is not ours: what it calls the file
        frames = [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__)]
        files = [local[name] for local in frames for name in ('file', 'file_path') if name in local]
        text = f'cannot write {files[-1] if files else "a file"}: {_DISK_FULL}; make room there'
    # a name out of a file may hold what moves the cursor or colours a terminal
    text = ''.join(c if c.isprintable() or c in '\n\t' else repr(c)[1:-1] for c in text)
    # a broken file may have a line of megabytes, which stands before the mend
    return text if len(text) < 1000 else f'{text[:600]} ... {text[-300:]}'


def _is_known(error: BaseException | None) -> bool:
    """Whether an error says what the user can mend: our own code or the system raised it."""
    while error is not None and not isinstance(error, _NAMES):
        frames, text = traceback.extract_tb(error.__traceback__), str(error)
        path = Path(frames[-1].filename if frames else '')
        if _OF_WORKER in text:  # torch raises anew what a process that loads data has raised
            path = Path(''.join(re.findall(r'^  File "(.+?)", line', text, re.M)[-1:]))
        if isinstance(error, (OSError, ImportError)) or any(map(path.is_relative_to, _OWN)):
            return True
        if text.startswith(_LOST_WORKER):
            return True
        # a registry raises anew what a component refuses
        error = error.__cause__ or error.__context__
    return False


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) of `640x192`, as the `type` of an argument."""
    try:
        width, height = (int(side) for side in text.split('x'))
    except ValueError:
        width = height = 0
    if width < 1 or height < 1:
        raise argparse.ArgumentTypeError(f'size must look like 640x192, got {text!r}')
    return width, height


def parse_duration(text: str) -> int:
    """Seconds of `3h50m`, `230` (minutes) or `3:50:00`, as the `type` of an argument."""
    words = r'(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?'
    clock, minutes = r'(?:(\d+)-)?(\d+):(\d\d):(\d\d)', r'()()(\d+)()'
    match = re.fullmatch(words, text) or re.fullmatch(clock, text) or re.fullmatch(minutes, text)
    numbers = [int(number or 0) for number in match.groups()] if match else [0] * 4
    seconds = sum(n * unit for n, unit in zip(numbers, (86400, 3600, 60, 1), strict=True))
    if seconds < 1:
        raise argparse.ArgumentTypeError(
            f'a duration looks like 3h50m, 230 (minutes) or 3:50:00, got {text!r}'
        )
    return seconds


def parse_model(text: str) -> tuple[str, str, str]:
    """(name, config, checkpoint) of `NAME=CONFIG,CHECKPOINT`, as the `type` of an argument."""
    name, _, files = text.partition('=')
    config, _, checkpoint = files.rpartition(',')
    if not (name and config and checkpoint):
        raise argparse.ArgumentTypeError(f'a model is NAME=CONFIG,CHECKPOINT, got {text!r}')
    return name, config, checkpoint


def output_file(text: str) -> Path:
    """Path of a file to write, as the `type` of an argument; see `check_output`."""
    check_output(text)
    return Path(text)


def output_folder(text: str) -> Path:
    """Path of a folder to write to, as the `type` of an argument; see `check_writable`."""
    check_writable(text)
    return Path(text)

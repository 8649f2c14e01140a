"""What the command lines of the tools share."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

TRACEBACK_VARIABLE = 'MMSCD_TRACEBACK'
_PACKAGE = Path(__file__).resolve().parents[1]
_OWN = (_PACKAGE, *(_PACKAGE.parent / name for name in ('tools', 'projects', 'demo')))


def make_parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser whose help is a tool's docstring, laid out as it stands there."""
    return argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def add_model(parser: argparse.ArgumentParser, checkpoint: bool | None = True) -> None:
    """Arguments `config`, `checkpoint` and `--cfg-options`.

    Args:
        parser: gets them.
        checkpoint: True: it must be given; False: it may be left out; None: the tool takes none.
    """
    from mmengine.config import DictAction

    parser.add_argument('config', help='path, or package::path')
    if checkpoint is not None:
        parser.add_argument('checkpoint', nargs=None if checkpoint else '?', help='path or URL')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value overrides')


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """Arguments of a tool that runs in several processes."""
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def run_tool(
    parser: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace], Any],
    argv: Sequence[str] | None = None,
) -> Any:
    """Parse the command line and run; what the user can mend is one sentence and exit status 1.

    Args:
        parser: of the tool.
        run: takes the parsed arguments.
        argv: arguments; None: those of the process.

    Returns:
        What `run` returns; Ctrl-C is exit status 130. `MMSCD_TRACEBACK=1` in the environment shows
        the traceback of an error; an error that other code raised keeps it anyway.
    """
    args = parser.parse_args(argv)
    if 'local_rank' in args:  # launchers of old pass it as an argument only
        os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    try:
        return run(args)
    except KeyboardInterrupt:
        print('stopped by Ctrl-C', file=sys.stderr)
        sys.exit(130)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        if os.environ.get(TRACEBACK_VARIABLE) == '1' or not _is_known(error):
            raise
        sys.exit(f'error: {error}')


def _is_known(error: BaseException | None) -> bool:
    """Whether an error says what the user can mend: our own code or the system raised it."""
    while error is not None:
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        path = Path(frame.tb_frame.f_code.co_filename if frame is not None else '')
        if isinstance(error, (OSError, ImportError)) or any(map(path.is_relative_to, _OWN)):
            return True
        # a registry raises anew what a component refuses
        error = error.__cause__ or error.__context__
    return False


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) of `640x192`, as the `type` of an argument.

    Raises:
        argparse.ArgumentTypeError: the text has another form, or a side is not positive.
    """
    try:
        width, height = (int(side) for side in text.split('x'))
    except ValueError:
        width = height = 0
    if width < 1 or height < 1:
        raise argparse.ArgumentTypeError(f'size must look like 640x192, got {text!r}')
    return width, height


def parse_model(text: str) -> tuple[str, str, str]:
    """(name, config, checkpoint) of `NAME=CONFIG,CHECKPOINT`, as the `type` of an argument.

    Raises:
        argparse.ArgumentTypeError: the text has another form.
    """
    name, _, files = text.partition('=')
    config, _, checkpoint = files.rpartition(',')
    if not (name and config and checkpoint):
        raise argparse.ArgumentTypeError(f'a model is NAME=CONFIG,CHECKPOINT, got {text!r}')
    return name, config, checkpoint


def check_writable(folder: str | os.PathLike) -> None:
    """Make a folder and write to it.

    Raises:
        OSError: it cannot be made or written to.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(f'cannot write to {folder}: {error}; choose another folder') from error

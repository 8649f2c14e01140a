"""What lies in the folder of a training: its checkpoints and what it notes beside them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from mmengine.logging import print_log

from mmscd.utils.compat import TruncatedCheckpointError, load_checkpoint_file
from mmscd.utils.files import atomic_write

# what `AtomicCheckpointHook` writes
OWN_NAME = re.compile(r'(?:best_[^/]+_)?(?:iter|epoch)_\d+\.pth')
_NUMBERED = re.compile(r'(?:iter|epoch)_(\d+)\.pth')
_VALIDATED = 'last_validation'


def numbered_checkpoints(folder: str | Path) -> list[tuple[int, Path]]:
    """The files `iter_N.pth` and `epoch_N.pth` of a folder with their N, in order."""
    found = [(_NUMBERED.fullmatch(file.name), file) for file in Path(folder).glob('*.pth')]
    return sorted((int(match[1]), file) for match, file in found if match and file.is_file())


def find_latest_checkpoint(work_dir: str | Path) -> Path | None:
    """The newest whole `iter_N.pth` or `epoch_N.pth` of a folder; truncated ones are passed over
    with a warning. RuntimeError, OSError: the newest cannot be read for another reason.

    The files themselves are looked at, not mmengine's `last_checkpoint`, which is written later.
    """
    for _, file in reversed(numbered_checkpoints(work_dir)):
        try:
            load_checkpoint_file(file)
        except TruncatedCheckpointError as error:
            print_log(f'{error} (passed over)', logger='current', level=logging.WARNING)
        except RuntimeError as error:
            raise RuntimeError(f'{error}, or move it away to go on from an older one') from error
        else:
            return file
    return None


def note_validation(work_dir: str | Path, done: int) -> None:
    """Remember that the state after `done` iterations (or epochs) was validated to the end."""
    atomic_write(Path(work_dir) / _VALIDATED, str(done).encode())


def read_validation(work_dir: str | Path, done: int) -> bool:
    """Whether the state after `done` iterations (or epochs), where a training begins, was validated
    to the end; what is noted of later ones is of another training, and goes."""
    file = Path(work_dir) / _VALIDATED
    noted = file.read_text() if file.is_file() else ''
    if not noted.isdecimal() or int(noted) > done:
        file.unlink(missing_ok=True)
    return noted == str(done)


@contextlib.contextmanager
def hold_folder(work_dir: str | Path) -> Iterator[None]:
    """A context in which no other process trains in the folder, on this host or another one; a dead
    one holds it no longer. RuntimeError names who has it."""
    file = Path(work_dir) / 'train.lock'
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open('a+') as stream:
        stream.seek(0)
        host, _, number = stream.read().partition(' ')
        try:
            # unlike flock, children do not inherit it: workers outlive a killed training
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = False
        except OSError as error:  # held, or a file system without locks
            alive = host != socket.gethostname() or Path('/proc', number).exists()
            held = error.errno in (errno.EACCES, errno.EAGAIN) or (bool(number) and alive)
        if held:
            raise RuntimeError(
                f'process {number} on {host} trains in {work_dir}: wait for its end, or choose '
                f'another --work-dir; if it is there no more, remove {file}'
            )
        try:
            stream.truncate(0)
            stream.write(f'{socket.gethostname()} {os.getpid()}')
            stream.flush()
            yield
        finally:
            stream.truncate(0)


def check_room(folder: Path, needed: int) -> None:
    """OSError where a folder has less than so many bytes left for a training's checkpoints."""
    if needed > (free := shutil.disk_usage(folder).free):
        raise OSError(
            f'{folder}: the checkpoints of this training need {needed} bytes, {free} are free; '
            'make room, lower default_hooks.checkpoint.max_keep_ckpts or choose another --work-dir'
        )

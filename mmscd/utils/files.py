"""Files that are whole or not there at all."""

from __future__ import annotations

import contextlib
import csv
import errno
import fcntl
import io
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def atomic_write(path: str | os.PathLike, data: bytes, sync: bool = True) -> None:
    """Write a file under a temporary name and rename it, so that no reader sees half of it; its
    folder is made. `sync` waits until it is on the disk; many small files are written faster
    without. OSError, in one sentence: where the disk is full, with the bytes needed and free.

    A kill leaves at most `.NAME.part`, which the next write of the same file takes over;
    processes that write the same file take turns.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, data, sync)
    except OSError as error:
        reason = error.strerror or str(error)
        if isinstance(error, (FileExistsError, NotADirectoryError)):
            reason = 'a file is where its folder should be'
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(path.parent).free
            reason += f'; it needs {len(data)} bytes, {free} are free; make room'
        told = type(error)(f'cannot write {path}: {reason}, or choose another folder')
        told.errno = error.errno
        raise told from error


def _replace(path: Path, data: bytes, sync: bool) -> None:
    part = path.with_name(f'.{path.name}.part')
    handle = _open_alone(part)
    try:
        os.ftruncate(handle, 0)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        if sync:
            os.fsync(handle)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


def _open_alone(part: Path) -> int:
    """Handle of the file, made where there is none, which nobody else has until it is closed."""
    while True:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        with contextlib.suppress(OSError):  # some network file systems know no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):  # whoever had it before has renamed it
            if os.path.samestat(os.fstat(handle), part.stat()):
                return handle
        os.close(handle)


def natural_key(path: str | os.PathLike) -> list:
    """Sort key under which `frame10` comes after `frame9`, and what is in a folder together."""
    parts = re.split(r'(\d+)', str(path).replace(os.sep, '\0'))
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in parts]


def check_writable(folder: str | os.PathLike) -> None:
    """Find out before the work whether a folder, which need not be there yet, can be written to;
    OSError."""
    try:
        place = next(p for p in (Path(folder), *Path(folder).absolute().parents) if p.exists())
        with tempfile.TemporaryFile(dir=place) as stream:
            stream.write(bytes(4096))
    except OSError as error:
        reason = f'{error.strerror or error}; choose another folder'
        raise OSError(f'cannot write to {folder}: {reason}') from error


def check_output(path: str | os.PathLike | None, *suffixes: str) -> None:
    """Find out before the work whether a file can be written after it: ValueError for another
    suffix, OSError for its folder, or for a folder of its name. None: there will be no file."""
    if path is None:
        return
    path = Path(path)
    if suffixes and path.suffix not in suffixes:
        raise ValueError(f'results go to a {" or ".join(suffixes)} file, got {str(path)!r}')
    if path.is_dir():
        raise IsADirectoryError(f'{path} is a folder: give the name of a file')
    check_writable(path.parent)


def list_files(folder: Path, suffixes: Sequence[str], below: bool = False) -> list[Path]:
    """Files of a folder, with `below` those of its folders too, that have one of the suffixes
    (lower case, with the dot; theirs may be upper case), in natural order. Names that begin with a
    dot, such as what macOS puts beside every file, are passed over, folders as well."""
    found = (
        path
        for path in (folder.rglob('*') if below else folder.iterdir())
        if path.suffix.lower() in suffixes and not path.is_dir()
    )
    shown = (p for p in found if not any(s[0] == '.' for s in p.relative_to(folder).parts))
    return sorted(shown, key=natural_key)


def refuse_twins(files: Iterable[str | os.PathLike]) -> None:
    """ValueError where two files of a sequence, such as 1.png and 1.jpg, differ in nothing but
    their suffix: nobody can say whether that is one frame or two."""
    seen: dict[str, Any] = {}
    for file in files:
        other = seen.setdefault(os.path.splitext(file)[0], file)
        if other is not file:
            raise ValueError(f'{other} and {file} would be two frames: keep one of them')


def write_json(path: str | os.PathLike, content: Any) -> None:
    """Write JSON, whole or not at all; NaN and infinity, which JSON does not know, become null,
    keys become strings."""
    text = json.dumps(_plain(content), indent=1, allow_nan=False) + '\n'
    atomic_write(path, text.encode('utf-8'))


def write_csv(
    path: str | os.PathLike, fields: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write a CSV file of the columns `fields`, whole or not at all; absent, NaN and infinite
    values are empty, and what else a row has is left out."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fields, extrasaction='ignore', lineterminator='\n')
    writer.writeheader()
    writer.writerows({key: _plain(row.get(key)) for key in fields} for row in rows)
    atomic_write(path, stream.getvalue().encode('utf-8'))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Files that are whole or not there at all."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def atomic_write(path: str | os.PathLike, data: bytes, sync: bool = True) -> None:
    """Write a file under a temporary name and rename it, so that no reader sees half of it; its
    folder is made. `sync` waits until it is on the disk; many small files are written faster
    without."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    try:
        with os.fdopen(handle, 'wb') as stream:
            stream.write(data)
            if sync:
                stream.flush()
                os.fsync(stream.fileno())
        # mkstemp makes files private; outputs get what the umask grants
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def natural_key(path: str | os.PathLike) -> list:
    """Sort key under which `frame10` comes after `frame9`, and what is in a folder together."""
    parts = re.split(r'(\d+)', str(path).replace(os.sep, '\0'))
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in parts]


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

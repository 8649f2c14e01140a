"""What mmengine's local backend logs: one JSON object per line."""

from __future__ import annotations

import json
from pathlib import Path

from .schema import Number

_WHOLE = Number(-(2**53), 2**53)  # here floats are exact


def read_scalars(file: Path) -> list[dict]:
    """Rows with a `step` of a scalars.json, in the file's order. Lines that are no JSON (a run that
    was killed, or still writes) are passed over."""
    rows = []
    for line in file.read_text(errors='replace').splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and _WHOLE.fits(row.get('step')):
            # no other value is of use, and a whole one may be too large for arithmetic
            rows.append({k: v for k, v in row.items() if type(v) is float or _WHOLE.fits(v)})
    return rows

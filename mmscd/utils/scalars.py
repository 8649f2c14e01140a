"""What mmengine's local backend logs: one JSON object per line."""

from __future__ import annotations

import json
from pathlib import Path


def read_scalars(file: Path) -> list[dict]:
    """Rows with a `step` of a scalars.json, in the file's order. Lines that are no JSON (a run that
    was killed, or still writes) are passed over."""
    rows = []
    for line in file.read_text(errors='replace').splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict) and isinstance(row.get('step'), (int, float)):
            rows.append(row)
    return rows

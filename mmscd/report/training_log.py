"""What mmengine's local backend wrote while training: the loss and the validation."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from mmscd.utils.scalars import read_scalars

Points = list[tuple[float, float]]
Rows = list[dict[str, float]]
_TIME = re.compile(r'^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) - ')
_GPU = re.compile(r'^\s+GPU [\d,]+: (.+?)\s*$')
_NO_CUDA = re.compile(r'^\s+CUDA available: False\s*$')


@dataclass
class TrainingLog:
    """The course of one training, over all its `starts` (more than 1 where it was resumed).

    `loss` and `validation` are (iteration, loss) and (iteration, abs_rel) as logged; `references`
    abs_rel of naive predictors on the validation images, by kind. None where no log tells:
    `seconds` of wall clock from the first to the last line, summed over the starts; `begun`, the
    first start, 'YYYY/MM/DD HH:MM:SS'; `device`, the GPU's name or 'CPU'.
    """

    loss: Points = field(default_factory=list)
    validation: Points = field(default_factory=list)
    references: dict[str, float] = field(default_factory=dict)
    last_iteration: int = 0
    seconds: float | None = None
    begun: str | None = None
    device: str | None = None
    starts: int = 0


def read_training_log(work_dir: str | os.PathLike) -> TrainingLog | None:
    """The training in a work dir (see `read_starts`), None where no run logged a loss."""
    if not (starts := read_starts(work_dir)):
        return None
    log = TrainingLog(starts=len(starts))
    for row in _join(starts):
        _add_row(log, row)
    _add_clock(log, [folder for folder, _ in starts])
    return log


def read_starts(work_dir: str | os.PathLike) -> list[tuple[Path, Rows]]:
    """(folder, rows with a `step`) of every start in `*/vis_data/scalars.json`, if any are left.

    A later start replaces what an earlier one logged from the later one's first iteration on, be
    it resumed or begun anew; it may begin with the validation that a kill has cost. Tests, which
    log at iteration 0, are no starts.
    """
    starts: list[tuple[Path, Rows]] = []
    for file in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        rows = read_scalars(file)
        if any('loss' in row or row['step'] > 0 for row in rows):
            first, judged = (
                min((row['step'] for row in rows if ('loss' in row) is trained), default=math.inf)
                for trained in (True, False)
            )
            for _, older in starts:
                ends = {True: first, False: min(first, judged)}
                older[:] = [row for row in older if row['step'] < ends['loss' in row]]
            starts.append((file.parents[1], rows))
    return [start for start in starts if start[1]]


def read_log(path: str | os.PathLike) -> Rows:
    """Rows, steps ascending, of a work dir (see `read_starts`) or a scalars.json.

    Raises FileNotFoundError where there is no log, ValueError where nothing was logged.
    """
    path = Path(path)
    file = path / 'scalars.json' if (path / 'scalars.json').is_file() else path
    if not file.is_file() and not any(path.glob('*/vis_data/scalars.json')):
        about = 'name a scalars.json, or a work dir with */vis_data/scalars.json'
        raise FileNotFoundError(f'there is no log at {path}; {about}')
    rows = _join([(file, read_scalars(file))] if file.is_file() else read_starts(path))
    if not rows:
        where = file if file.is_file() else path / '*/vis_data/scalars.json'
        raise ValueError(f'{where}: nothing was logged yet')
    return rows


def _join(starts: Sequence[tuple[Path, Rows]]) -> Rows:
    return sorted((row for _, rows in starts for row in rows), key=lambda row: row['step'])


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _add_row(log: TrainingLog, row: Mapping[str, float]) -> None:
    log.last_iteration = max(log.last_iteration, int(row['step']))
    if _is_number(row.get('loss')):
        log.loss.append((row['step'], row['loss']))
    for key, value in row.items():
        # a metric's prefix is put before its name with a slash
        name = key.rsplit('/', 1)[-1]
        if name == 'abs_rel' and _is_number(value):
            log.validation.append((row['step'], value))
        elif name.endswith('_abs_rel') and _is_number(value):
            log.references[name.removesuffix('_abs_rel')] = value


def _add_clock(log: TrainingLog, folders: list[Path]) -> None:
    """Duration, begin and device from the text logs."""
    spans = []
    for folder in folders:
        file = folder / f'{folder.name}.log'
        times = []
        for line in file.read_text(errors='replace').splitlines() if file.is_file() else ():
            if match := _TIME.match(line):
                times.append(match[1])
            elif match := _GPU.match(line):
                log.device = match[1]
            elif _NO_CUDA.match(line):
                log.device = 'CPU'
        if times:
            spans.append((times[0], times[-1]))
    if spans:
        parsed = [[datetime.strptime(t, '%Y/%m/%d %H:%M:%S') for t in span] for span in spans]
        log.seconds = sum((end - begin).total_seconds() for begin, end in parsed)
        log.begun = min(spans)[0]

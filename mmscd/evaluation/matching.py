"""Which prediction, or condition, belongs to which image: by name or by order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mmscd.utils.text import read_text

_KITTI = re.compile(r'(\d{4}_\d\d_\d\d_drive_\d{4})_.*?(\d+)(?:_image_0[23])?$')


def match(
    truth_names: Sequence[str], count: int, names: Sequence[str] = (), in_order: bool = False
) -> dict[int, int]:
    """Index of the ground truth -> index of the prediction, by `names` of the predictions or,
    without any, one by one. So it is with `in_order` where they are no names of images, but mere
    numbers, or of another kind. The names of the truth are paths without suffix."""
    if in_order and None in (places := _find(names, truth_names)):
        stems = [str(Path(name).with_suffix('')) for name in names]
        known = [stem for stem, p in zip(stems, places, strict=True) if p is not None]
        if all(map(str.isdecimal, known)) and not any(map(_KITTI.search, stems)):
            names = ()
    if not names:
        if count != len(truth_names):
            raise ValueError(
                f'{count} predictions, but {len(truth_names)} images: without names they must '
                'follow the split (or the frames of the drive) one by one'
            )
        return {i: i for i in range(count)}
    found: dict[int, int] = {}
    for i, place in enumerate(find_names(names, truth_names, 'predictions')):
        if found.setdefault(place, i) != i:
            raise ValueError(f'the prediction {names[i]!r} comes twice')
    return found


def find_names(names: Sequence[str], truth_names: Sequence[str], what: str) -> list[int]:
    """Place of each name among those of the ground truth; ValueError names those without an image.

    A name is known by its path without suffix, or the end of it that only one image has
    (`0000000090` where there is one drive, `drive/image_02/data/0000000090` where there are more).
    Leading zeros of frame numbers do not matter.
    """
    places = _find(names, truth_names)
    missing = [name for name, place in zip(names, places, strict=True) if place is None]
    found = [place for place in places if place is not None]
    if missing:
        raise ValueError(
            f'{len(missing)} of {len(names)} {what} have no image with ground truth, or their '
            f'names fit several: {missing[:3]}; expected names such as {truth_names[0]!r}, or the '
            'end of it'
        )
    return found


def _find(names: Sequence[str], truth_names: Sequence[str]) -> list[int | None]:
    """Place of each name, None where it names no image or several."""
    ends: dict[tuple[str, ...], int | None] = {}
    for place, name in enumerate(truth_names):
        parts = _parts(name)
        for key in [parts[begin:] for begin in range(len(parts))] + _frame(name):
            ends[key] = None if key in ends else place
    stems = [str(Path(name).with_suffix('')) for name in names]
    return [ends.get(_parts(s), ends.get((_frame(s) or [()])[0])) for s in stems]


def _frame(name: str) -> list[tuple[str, ...]]:
    """Drive and number of a frame of KITTI, in whichever of its ways both are in a name."""
    match = _KITTI.search(name)
    return [(match[1], str(int(match[2])), '')] if match else []


def _parts(name: str) -> tuple[str, ...]:
    *folders, stem = Path(name).parts
    return (*folders, stem.lstrip('0') or '0') if stem.isdigit() else (*folders, stem)


def read_condition_file(path: Path, truth_names: Sequence[str]) -> dict[int, list[str]]:
    """Conditions by index of the ground truth, from lines `name condition [condition ...]`."""
    if not path.is_file():
        raise FileNotFoundError(f'conditions file {path} does not exist')
    lines = [line.split() for line in read_text(path).splitlines()]
    for number, words in enumerate(lines, 1):
        if len(words) == 1:
            raise ValueError(f'{path}:{number}: expected `name condition`, got {words[0]!r}')
        if odd := [word for word in words[1:] if '/' in word]:
            raise ValueError(f'{path}:{number}: the condition {odd[0]!r} has a slash; rename it')
    lines = [words for words in lines if words]
    places = find_names([words[0] for words in lines], truth_names, f'names in {path}')
    return {place: words[1:] for place, words in zip(places, lines, strict=True)}

"""Names that a user misspells: refused with the nearest ones."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


def check_names(what: str, names: Iterable[Any], known: Iterable[Any]) -> None:
    """Refuse the first name that is not known, in a ValueError with the nearest ones, or all where
    none is near. `what` is named, e.g. 'protocol'."""
    known = list(known)
    for name in names:
        if name not in known:
            near = get_close_matches(str(name), map(str, known), cutoff=0.4) or sorted(known)
            raise ValueError(f'unknown {what} {name!r}: did you mean one of {near}?')

"""Results by condition: day, night, rain, ... as the data set names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def read_conditions(sample: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Conditions of a data sample.

    Args:
        sample: `DepthDataSample.to_dict()`. The value is a text or a list of texts: an image may
            be of several conditions (night and rain).
        key: of the metainfo.

    Returns:
        each once; empty where the sample names none.

    Raises:
        ValueError: the value is neither, or has a slash (which separates parts of metric names).
    """
    value = sample.get(key)
    if value is None:
        return ()
    named = [value] if isinstance(value, str) else value
    if not isinstance(named, (list, tuple)) or not all(isinstance(n, str) and n for n in named):
        raise ValueError(
            f'{key!r} of a data sample must be a text or a list of texts, got {value!r} '
            f'({sample.get("img_path")})'
        )
    if any('/' in name for name in named):
        raise ValueError(f'{key!r} must not contain a slash, got {value!r}')
    return tuple(dict.fromkeys(named))


def group_by_condition(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Records by condition, in alphabetical order; one with several is in each of them.

    Args:
        records: each with `conditions` (see `read_conditions`).

    Returns:
        empty where no record has a condition. Records without one come last, as `other`.
    """
    names = sorted({name for record in records for name in record['conditions']})
    groups = {name: [r for r in records if name in r['conditions']] for name in names}
    rest = [record for record in records if not record['conditions']]
    if groups and rest:
        groups['other'] = groups.get('other', []) + rest
    return groups

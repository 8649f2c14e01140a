"""Checks of the options of data sets; each raises ValueError, which names option and value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def refuse_gt(kwargs: dict[str, Any], reason: str) -> None:
    """Switch `with_gt` off in the arguments of a data set that has no ground truth; it must not
    have been asked for."""
    if kwargs.get('with_gt'):
        raise ValueError(f'with_gt=True {reason}')
    kwargs['with_gt'] = False


def choose(name: str, value: Any, allowed: Sequence[Any]) -> Any:
    """The value, where it is one of the allowed ones."""
    if value not in allowed:
        raise ValueError(f'{name} must be one of {list(allowed)}, got {value!r}')
    return value


def choose_all(name: str, values: Sequence[str] | None, allowed: Sequence[str]) -> tuple[str, ...]:
    """The values, where each is allowed; all that are allowed for None."""
    if values is None:
        return tuple(allowed)
    if isinstance(values, str) or not values or set(values) - set(allowed):
        raise ValueError(f'{name} must be a list out of {list(allowed)} or None, got {values!r}')
    return tuple(values)


def choose_positive(name: str, value: Any) -> int:
    """The value, where it is a positive whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f'{name} must be a positive whole number, got {value!r}')
    return value


def choose_names(name: str, values: Sequence[str] | None, example: str) -> list[str] | None:
    """A list of names that is not empty, or None."""
    if isinstance(values, str) or (values is not None and not values):
        raise ValueError(f'{name} must be a list such as {[example]} or None, got {values!r}')
    return None if values is None else list(values)

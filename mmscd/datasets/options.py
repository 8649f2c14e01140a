"""Checks of the options of data sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


def check_frame_ids(
    frame_ids: Sequence[int | str], video: bool = True, stereo: bool = True
) -> tuple[int | str, ...]:
    """Validate frame ids: the target 0 first, then offsets in time and `'s'`, each once.

    Args:
        frame_ids: as given.
        video: the images have neighbours in time.
        stereo: they have partners of another camera.

    Raises:
        ValueError: says what is wrong with which id.
    """
    if isinstance(frame_ids, str) or len(frame_ids) == 0 or frame_ids[0] != 0:
        raise ValueError(f'frame_ids must start with the target 0, got {frame_ids!r}')
    for frame_id in frame_ids:
        if isinstance(frame_id, bool) or not (isinstance(frame_id, int) or frame_id == 's'):
            raise ValueError(
                f"frame_ids are whole numbers (offsets in time) or 's' (the other camera of a "
                f'stereo pair), got {frame_id!r} in {tuple(frame_ids)}'
            )
    if len(set(frame_ids)) != len(frame_ids):
        raise ValueError(f'frame_ids has duplicates: {tuple(frame_ids)}')
    if not stereo and 's' in frame_ids:
        raise ValueError(f"there is no stereo partner 's' in this data set, got {tuple(frame_ids)}")
    if not video and set(frame_ids) - {0, 's'}:
        allowed = (
            "is no video: frame_ids is (0,) or (0, 's')"
            if stereo
            else ('has single images: frame_ids is (0,)')
        )
        raise ValueError(f'this data set {allowed}, got {tuple(frame_ids)}')
    return tuple(frame_ids)


def parse_frame_id(text: str) -> int | str:
    """A frame id of a command line."""
    return text if text == 's' else int(text)


def time_offset(frame_id: int | str) -> int:
    """Frames between the target and the frame of an id; 0 for the partner `'s'`."""
    return 0 if frame_id == 's' else int(frame_id)


def refuse_gt(kwargs: dict[str, Any], reason: str) -> None:
    """Switch `with_gt` off in the arguments of a data set that has no ground truth.

    Raises:
        ValueError: it was asked for.
    """
    if kwargs.get('with_gt'):
        raise ValueError(f'with_gt=True {reason}')
    kwargs['with_gt'] = False


def choose(name: str, value: Any, allowed: Sequence[Any]) -> Any:
    """The value, where it is one of the allowed ones.

    Raises:
        ValueError: names both.
    """
    if value not in allowed:
        raise ValueError(f'{name} must be one of {list(allowed)}, got {value!r}')
    return value


def choose_all(name: str, values: Sequence[str] | None, allowed: Sequence[str]) -> tuple[str, ...]:
    """The values, where each is allowed; all that are allowed for None.

    Raises:
        ValueError: names both.
    """
    if values is None:
        return tuple(allowed)
    if isinstance(values, str) or not values or set(values) - set(allowed):
        raise ValueError(f'{name} must be a list out of {list(allowed)} or None, got {values!r}')
    return tuple(values)


def choose_positive(name: str, value: Any) -> int:
    """The value, where it is a positive whole number.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f'{name} must be a positive whole number, got {value!r}')
    return value


def choose_names(name: str, values: Sequence[str] | None, example: str) -> list[str] | None:
    """A list of names that is not empty, or None.

    Raises:
        ValueError: it is a text, or empty.
    """
    if isinstance(values, str) or (values is not None and not values):
        raise ValueError(f'{name} must be a list such as {[example]} or None, got {values!r}')
    return None if values is None else list(values)


def windows(length: int, frame_ids: Sequence[int | str]) -> Iterator[list[int]]:
    """Positions of the frames of every sample of a sequence; frames at its ends, which lack a
    neighbour, are no targets.

    Args:
        length: frames in the sequence.
        frame_ids: the target 0 first; whole numbers only.
    """
    offsets = [int(frame_id) for frame_id in frame_ids]
    for target in range(-min(offsets), length - max(offsets)):
        yield [target + offset for offset in offsets]

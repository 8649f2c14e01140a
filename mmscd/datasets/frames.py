"""Frame ids, and the frames that they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .formats.file_index import FileIndex


def check_frame_ids(
    frame_ids: Sequence[int | str], video: bool = True, stereo: bool = True
) -> tuple[int | str, ...]:
    """The frame ids, of which the target 0 is the first, then offsets in time (where the images are
    `video`) and `'s'` (where they have partners, `stereo`), each once; else ValueError."""
    if isinstance(frame_ids, str) or len(frame_ids) == 0 or frame_ids[0] != 0:
        raise ValueError(f'frame_ids must start with the target 0, got {frame_ids!r}')
    for frame_id in frame_ids:
        if isinstance(frame_id, bool) or not (isinstance(frame_id, int) or frame_id == 's'):
            expected = "whole numbers (offsets in time) or 's' (the other camera of a stereo pair)"
            raise ValueError(f'frame_ids are {expected}, got {frame_id!r} in {tuple(frame_ids)}')
    if len(set(frame_ids)) != len(frame_ids):
        raise ValueError(f'frame_ids has duplicates: {tuple(frame_ids)}')
    if not stereo and 's' in frame_ids:
        raise ValueError(f"there is no stereo partner 's' in this data set, got {tuple(frame_ids)}")
    if not video and set(frame_ids) - {0, 's'}:
        allowed = "is no video: frame_ids is (0,) or (0, 's')"
        allowed = allowed if stereo else 'has single images: frame_ids is (0,)'
        raise ValueError(f'this data set {allowed}, got {tuple(frame_ids)}')
    return tuple(frame_ids)


def parse_frame_id(text: str) -> int | str:
    """A frame id of a command line."""
    return text if text == 's' else int(text)


def time_offset(frame_id: int | str) -> int:
    """Frames between the target and the frame of an id; 0 for the partner `'s'`."""
    return 0 if frame_id == 's' else int(frame_id)


def windows(length: int, frame_ids: Sequence[int | str]) -> Iterator[list[int]]:
    """Positions of the frames of every sample of a sequence of so many frames; those at its ends,
    which lack a neighbour, are no targets. `frame_ids`: whole numbers only."""
    offsets = [int(frame_id) for frame_id in frame_ids]
    for target in range(-min(offsets), length - max(offsets)):
        yield [target + offset for offset in offsets]


def find_frames(
    index: FileIndex,
    frame_ids: Sequence[int | str],
    frame: int,
    folders: Sequence[str],
    extensions: tuple[str, ...],
) -> tuple[list[str], str | None]:
    """Paths of the frames of a sample where files are numbered, and what is missing or None.
    `frame` is the number of the target, `folders` those of its camera and of the partner `'s'`."""
    paths: list[str] = []
    for frame_id in frame_ids:
        folder = folders[frame_id == 's']
        path, problem = index.find(folder, frame + time_offset(frame_id), extensions)
        if problem is not None:
            return paths, f'frame id {frame_id!r}: {problem}'
        paths.append(path)
    return paths, None

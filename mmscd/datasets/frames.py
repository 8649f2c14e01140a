"""Frame ids, and the frames that they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .formats.file_index import FileIndex


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


def find_frames(
    index: FileIndex,
    frame_ids: Sequence[int | str],
    frame: int,
    folders: Sequence[str],
    extensions: tuple[str, ...],
) -> tuple[list[str], str | None]:
    """Paths of the frames of a sample where files are numbered, and what is missing.

    Args:
        index: of the files on disk.
        frame_ids: the target 0 first.
        frame: number of the target.
        folders: of its camera, and of the partner `'s'`.
        extensions: that the files may have.
    """
    paths: list[str] = []
    for frame_id in frame_ids:
        folder = folders[frame_id == 's']
        path, problem = index.find(folder, frame + time_offset(frame_id), extensions)
        if problem is not None:
            return paths, f'frame id {frame_id!r}: {problem}'
        paths.append(path)
    return paths, None

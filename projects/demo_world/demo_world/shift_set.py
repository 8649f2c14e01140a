"""The test streets of a set under weather, at night and with motion blur, as files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import cv2

from mmscd.corruptions import image_id_from_path
from mmscd.utils.processes import spread
from mmscd.utils.schema import keep_settings

from . import writer
from .camera import Intrinsics
from .frames import FrameRenderer
from .scene import build_scene
from .shifts import LEVELS, SHIFTS, SHIFTS_VERSION, draw_shift
from .writer import Params

FOLDER = 'shifted'
Task = tuple[str, Params, int]


def shift_files(root: Path, drive: int, index: int) -> dict[tuple[str, int], Path]:
    """Files `shifted/NAME/LEVEL/IMAGE.jpg` of one frame, named like its image, by name and level.

    The layout is that of a KITTI-C, which `test_robustness.py --shifted` reads.
    """
    image = image_id_from_path(writer.frame_files(root, drive, index, False)['image'], root)
    return {
        (name, level): root / FOLDER / name / str(level) / f'{image}.jpg'
        for name, level in product(SHIFTS, LEVELS)
    }


def _missing(root: Path, params: Params, drive: int) -> dict[int, dict[tuple[str, int], Path]]:
    """By frame; only frames in the split list, which have both neighbours, are judged."""
    found = {}
    for index in range(1, params.drives()[drive][1] - 1):
        files = shift_files(root, drive, index)
        found[index] = {key: file for key, file in files.items() if not file.exists()}
    return {index: files for index, files in found.items() if files}


def draw_task(task: Task) -> int:
    """Draws what is missing of one street; returns the number of images."""
    root, params, drive = Path(task[0]), *task[1:]
    scene = build_scene(params.seed, drive, params.drives()[drive][1])
    renderer = FrameRenderer(scene, Intrinsics.for_size(params.width, params.height))
    count = 0
    for index, files in _missing(root, params, drive).items():
        for (name, level), file in files.items():
            image = draw_shift(renderer, index, name, level, (params.seed, drive))
            writer.write_image(file, image[..., ::-1])
            count += 1
    return count


def draw_shifts(
    root: Path | str,
    params: Params,
    workers: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Draws what is missing of the shifted test streets; the set itself stays as it is.

    Args:
        root: Folder of a set with these parameters.
        params: Of the set.
        workers: Number of worker processes; it does not change the result.
        progress: Called with streets done and streets to do.

    Returns:
        Number of images drawn now.

    Raises:
        ValueError: the folder holds images of another version.
    """
    root = Path(root)
    keep_settings(root / FOLDER, 'shifts.json', dict(version=SHIFTS_VERSION))
    drives = [d for d, (split, _) in params.drives().items() if split == 'test']
    tasks = [(str(root), params, d) for d in drives if _missing(root, params, d)]
    count, start = 0, partial(cv2.setNumThreads, 1)
    for done, drawn in enumerate(spread(draw_task, tasks, workers, start, method='spawn'), 1):
        count += drawn
        progress(done, len(tasks))
    return count

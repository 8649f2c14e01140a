"""Renders the whole set with worker processes; goes on where an earlier run stopped."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2

from mmscd.utils.processes import spread

from . import writer
from .camera import STEREO_BASELINE, Intrinsics, shifted
from .frames import FrameRenderer
from .mean_depth import MEAN_DEPTH, write_mean_depth
from .scene import build_scene
from .writer import Params

CHUNK = 30
Task = tuple[str, Params, int, list[int]]


def _pending(root: Path, params: Params) -> list[Task]:
    tasks = []
    for drive, (_, frames) in params.drives().items():
        todo = [
            i
            for i in range(frames)
            if not all(
                f.exists() for f in writer.frame_files(root, drive, i, params.stereo).values()
            )
        ]
        # Each task builds its scene anew, so a task holds many frames of one drive.
        tasks += [
            (str(root), params, drive, todo[k : k + CHUNK]) for k in range(0, len(todo), CHUNK)
        ]
        if not todo and not (writer.drive_folder(root, drive) / 'poses/image_02.txt').exists():
            tasks.append((str(root), params, drive, []))
    return tasks


def render_task(task: Task) -> int:
    """Renders some frames of one drive and its poses.

    Args:
        task: Output root, parameters, drive number and frame numbers.

    Returns:
        Number of frames rendered.
    """
    root, params, drive, indices = Path(task[0]), *task[1:]
    scene = build_scene(params.seed, drive, params.drives()[drive][1])
    renderer = FrameRenderer(scene, Intrinsics.for_size(params.width, params.height))
    writer.write_poses(root, drive, scene.poses)
    for index in indices:
        frame, right = renderer.render(index), None
        if params.stereo:
            right = renderer.image(index, shifted(scene.poses[index], STEREO_BASELINE))
        files = writer.frame_files(root, drive, index, params.stereo)
        writer.write_frame(files, frame, right)
    return len(indices)


def _show_progress(done: int, total: int, seconds: float) -> None:
    left = seconds / max(done, 1) * (total - done)
    end = '\n' if done == total or not sys.stdout.isatty() else ''
    start = '\r' if sys.stdout.isatty() else ''
    sys.stdout.write(
        f'{start}rendered {done}/{total} frames ({100 * done // max(total, 1)} %), '
        f'{seconds:.0f} s, about {left:.0f} s left   {end}'
    )
    sys.stdout.flush()


def render_set(
    root: Path | str,
    params: Params,
    workers: int = 2,
    progress: Callable[[int, int, float], None] = _show_progress,
) -> int:
    """Renders what is missing of a set, and averages the training depth (`mean_depth.npy`).

    Args:
        root: Output folder.
        params: What to render.
        workers: Number of worker processes; it does not change the result.
        progress: Called with frames done, frames to do and seconds passed.

    Returns:
        Number of frames rendered now; 0 if the set was complete.
    """
    root = Path(root)
    writer.check_params(root, params)
    tasks = _pending(root, params)
    manifest = root / writer.MANIFEST
    if manifest.exists():
        if not tasks:
            if not (root / MEAN_DEPTH).exists():
                write_mean_depth(root)
            return 0
        manifest.unlink()
    for leftover in root.rglob('.*.part'):
        leftover.unlink()
    total, done, shown, begin = sum(len(t[3]) for t in tasks), 0, -1, time.monotonic()
    # Forked workers could inherit OpenCV's threads in a bad state.
    for count in spread(render_task, tasks, workers, partial(cv2.setNumThreads, 1), method='spawn'):
        done += count
        if 10 * done // max(total, 1) != shown:
            shown = 10 * done // max(total, 1)
            progress(done, total, time.monotonic() - begin)
    writer.write_calibration(root, Intrinsics.for_size(params.width, params.height))
    lengths = writer.write_splits(root, params)
    write_mean_depth(root)
    writer.write_manifest(root, params, lengths)
    return done

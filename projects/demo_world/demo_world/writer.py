"""Files of the rendered set: KITTI-raw folders, calibration, split lists and the manifest."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmscd.utils.files import atomic_write
from mmscd.utils.schema import read_json

from . import RENDERER_VERSION
from .camera import STEREO_BASELINE, Intrinsics
from .frames import Frame

DATE = 'demo_town'
PARAMS = 'render_params.json'
MANIFEST = 'manifest.json'
MAX_DEPTH = 250.0


@dataclass(frozen=True)
class Params:
    """Everything that decides the bytes of the set.

    Attributes:
        width: Image width in pixels.
        height: Image height in pixels.
        seed: Seed of all scenes.
        train_scenes: Number of training drives.
        frames: Frames per training drive.
        eval_scenes: Number of validation drives, and of test drives.
        eval_frames: Frames per validation and test drive.
        stereo: Whether the right camera is rendered too.
        version: Renderer version.
        test_scenes: Number of test drives where it differs.
    """

    width: int = 416
    height: int = 128
    seed: int = 0
    train_scenes: int = 56
    frames: int = 7
    eval_scenes: int = 8
    eval_frames: int = 5
    stereo: bool = False
    version: str = RENDERER_VERSION
    test_scenes: int | None = None

    def content(self) -> dict[str, Any]:
        """Everything as JSON has it; without what is not set, as older sets do not know of it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def drives(self) -> dict[int, tuple[str, int]]:
        """Returns split name and frame count by drive number."""
        tests = self.test_scenes or self.eval_scenes
        counts = {'train': self.train_scenes, 'val': self.eval_scenes, 'test': tests}
        splits = [split for split, count in counts.items() for _ in range(count)]
        return {
            drive: (split, self.frames if split == 'train' else self.eval_frames)
            for drive, split in enumerate(splits, 1)
        }


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text whole or not at all."""
    atomic_write(path, text.encode(), sync=False)


def write_image(path: Path, image: np.ndarray) -> None:
    """Encodes by suffix (JPEG at quality 95) and writes whole or not at all."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if path.suffix == '.jpg' else []
    done, data = cv2.imencode(path.suffix, image, options)
    if not done:
        raise OSError(f'cannot encode {path}')
    atomic_write(path, data.tobytes(), sync=False)


def drive_folder(root: Path, drive: int) -> Path:
    """Folder of one drive."""
    return root / DATE / f'{DATE}_drive_{drive:04d}_sync'


def frame_files(root: Path, drive: int, index: int, stereo: bool) -> dict[str, Path]:
    """Paths of one frame's files by kind: image, depth, labels and, in stereo, right."""
    folder, name = drive_folder(root, drive), f'{index:010d}'
    out = {
        'image': folder / 'image_02' / 'data' / f'{name}.jpg',
        'depth': folder / 'proj_depth' / 'groundtruth' / 'image_02' / f'{name}.png',
        'labels': folder / 'labels' / 'image_02' / f'{name}.png',
    }
    if stereo:
        out['right'] = folder / 'image_03' / 'data' / f'{name}.jpg'
    return out


def encode_depth(depth: np.ndarray) -> np.ndarray:
    """Metres (H, W) to KITTI's uint16 1/256 m, 0 where unknown or beyond 250 m."""
    return np.where(depth <= MAX_DEPTH, np.rint(depth * 256), 0).astype(np.uint16)


def write_frame(files: dict[str, Path], frame: Frame, right: np.ndarray | None) -> None:
    """Writes one frame; the right image is RGB (H, W, 3) or None."""
    write_image(files['depth'], encode_depth(frame.depth))
    write_image(files['labels'], frame.labels)
    if right is not None:
        write_image(files['right'], right[..., ::-1])
    write_image(files['image'], frame.image[..., ::-1])


def write_poses(root: Path, drive: int, poses: np.ndarray) -> None:
    """Writes camera-to-world poses (n, 4, 4) as rows of twelve numbers."""
    rows = [' '.join(f'{x:.12e}' for x in pose[:3].ravel()) for pose in poses]
    write_text(drive_folder(root, drive) / 'poses' / 'image_02.txt', '\n'.join(rows) + '\n')


def _line(key: str, values) -> str:
    return f'{key}: ' + ' '.join(f'{x:.6e}' for x in np.ravel(values)) + '\n'


def write_calibration(root: Path, cam: Intrinsics) -> None:
    """Writes KITTI's three calibration files for the rectified pair 02 and 03."""
    text = 'calib_time: 01-Jan-2024 00:00:00\n' + _line('corner_dist', [0.1])
    size = [cam.width, cam.height]
    for name, shift in (('02', 0.0), ('03', -STEREO_BASELINE)):
        project = np.hstack([cam.matrix(), [[cam.fx * shift], [0], [0]]])
        text += _line(f'S_{name}', size) + _line(f'K_{name}', cam.matrix())
        text += _line(f'D_{name}', np.zeros(5)) + _line(f'R_{name}', np.eye(3))
        text += _line(f'T_{name}', [shift, 0, 0]) + _line(f'S_rect_{name}', size)
        text += _line(f'R_rect_{name}', np.eye(3)) + _line(f'P_rect_{name}', project)
    text += _line('R_rect_00', np.eye(3))
    write_text(root / DATE / 'calib_cam_to_cam.txt', text)
    # Laser axes are x forward, y left, z up; camera axes are x right, y down, z forward.
    turn = np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]])
    for name, rot, shift in (
        ('velo_to_cam', turn, [0, -0.08, -0.27]),
        ('imu_to_velo', np.eye(3), [-0.81, 0.32, -0.8]),
    ):
        text = 'calib_time: 01-Jan-2024 00:00:00\n' + _line('R', rot) + _line('T', shift)
        write_text(root / DATE / f'calib_{name}.txt', text)


def write_splits(root: Path, params: Params) -> dict[str, int]:
    """Writes the split lists of frames that have both neighbours; returns their lengths."""
    lines: dict[str, list[str]] = {'train': [], 'val': [], 'test': []}
    for drive, (split, frames) in params.drives().items():
        folder = f'{DATE}/{DATE}_drive_{drive:04d}_sync'
        lines[split] += [f'{folder} {i} l' for i in range(1, frames - 1)]
    for split, rows in lines.items():
        write_text(root / 'splits' / f'{split}_files.txt', '\n'.join(rows) + '\n')
    return {split: len(rows) for split, rows in lines.items()}


def check_params(root: Path, params: Params) -> None:
    """Records the parameters, or refuses to mix two different sets in one folder.

    Raises:
        FileExistsError: If the folder holds frames that were rendered otherwise.
    """
    path = root / PARAMS
    wanted = params.content()
    if path.exists():
        found = read_json(path, f'delete {root}', dict)
        if found != wanted:
            other = ', '.join(
                f'{k} {found.get(k, "none")} instead of {wanted.get(k, "none")}'
                for k in sorted({*wanted, *found})
                if found.get(k) != wanted.get(k)
            )
            raise FileExistsError(
                f'{root} holds a set rendered otherwise ({other}); delete that folder to have it '
                'rendered anew, or choose another one'
            )
    elif (root / DATE).exists():
        raise FileExistsError(
            f'{root / DATE} exists but was not begun by this renderer; '
            'choose another folder or delete it'
        )
    else:
        write_text(path, json.dumps(wanted, indent=2) + '\n')


def write_manifest(root: Path, params: Params, lengths: dict[str, int]) -> None:
    """Writes the manifest, which marks the set as complete."""
    drives = {
        f'{DATE}_drive_{d:04d}_sync': {'split': split, 'frames': frames}
        for d, (split, frames) in params.drives().items()
    }
    content = {
        'renderer': 'demo_world',
        **params.content(),
        'depth_scale': 256,
        'max_depth': MAX_DEPTH,
        'baseline': STEREO_BASELINE,
        'drives': drives,
        'total_frames': sum(frames for _, frames in params.drives().values()),
        'split_lines': lengths,
    }
    write_text(root / MANIFEST, json.dumps(content, indent=2) + '\n')

"""KITTI raw: the official splits, both colour cameras, LiDAR or improved ground truth."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmscd.registry import DATASETS

from .base import BaseDepthDataset, Sample
from .formats.depth_cache import DepthCache
from .formats.file_index import FileIndex
from .formats.kitti_calibration import CAMERAS, DEPTH_AXES, KITTICalibration, project_velodyne
from .formats.lidar import read_points
from .frames import find_frames
from .options import choose, choose_all, choose_names, refuse_gt

_LINE = r'([^\s/]+/[^\s/]+)\s+(\d{1,18})\s+([lr])'
_EXAMPLE = '`date/drive frame side` as `2011_09_26/2011_09_26_drive_0013_sync 0000000090 l`'
_OTHER = {'l': 'r', 'r': 'l'}
_IMAGE_EXTENSIONS = ('.png', '.jpg', '.jpeg')


@DATASETS.register_module()
class KITTIRawDataset(BaseDepthDataset):
    """KITTI raw in its original layout, images as PNG or JPEG.

    A split file has lines `2011_09_26/2011_09_26_drive_0013_sync 0000000090 l`; the frame may be
    unpadded. `l` is `image_02`, `r` is `image_03`.

    Args:
        data_root: holds the folders of the dates, each with its calibration files and drives.
        ann_file: a split file; None: every frame of `drives` (or of all drives that are found)
            that is complete on disk.
        frame_ids: ints are offsets in time, `'s'` is the same moment in the other camera.
        drives: names such as `2011_09_26_drive_0013_sync` (with or without the date folder before
            them); other lines of the split are left out. None: all.
        sides: cameras to use, out of `l` and `r`.
        gt: `velodyne` (LiDAR projected on the fly), `improved` (16-bit PNGs of the depth
            benchmark) or None.
        depth_axis: see `project_velodyne`.
        improved_gt_root: folder of the improved ground truth, with or without `train/`, `val/` and
            date folders; None: `data_root`.
        gt_cache_dir: folder where projected LiDAR depth is kept; None: projected every time.
        img_ext: `.png` or `.jpg`; None: found per folder.
        **kwargs: of `BaseDepthDataset`.
    """

    camera_keys = ('date', 'side')

    def __init__(
        self,
        *args: Any,
        drives: Sequence[str] | None = None,
        sides: Sequence[str] = ('l', 'r'),
        gt: str | None = 'velodyne',
        depth_axis: str = 'camera_z',
        improved_gt_root: str | None = None,
        gt_cache_dir: str | None = None,
        img_ext: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.drives = choose_names('drives', drives, '2011_09_26_drive_0013_sync')
        self.sides = choose_all('sides', sides, tuple(CAMERAS))
        self.gt = choose('gt', gt, ('velodyne', 'improved', None))
        self.depth_axis = choose('depth_axis', depth_axis, DEPTH_AXES)
        if gt is None:
            refuse_gt(kwargs, "needs gt='velodyne' or gt='improved', got gt=None")
        self.improved_gt_root = improved_gt_root
        self.cache = DepthCache(gt_cache_dir)
        self.extensions = _IMAGE_EXTENSIONS if img_ext is None else ('.' + img_ext.lstrip('.'),)
        self.calibrations: dict[str, KITTICalibration] = {}
        super().__init__(*args, **kwargs)

    def list_samples(self, index: FileIndex) -> Iterator[Sample]:
        """The lines of the split, or the frames of the drives."""
        asked = self._read_split() if self.ann_file else self._list_frames(index)
        for where, folder, frame, side in asked:
            yield where, *self._sample(index, folder, frame, side)

    def _read_split(self) -> Iterator[tuple[str, str, int, str]]:
        """(file:line, date/drive, frame, side) of the lines that `drives` and `sides` let pass."""
        wanted = {Path(drive).name for drive in self.drives} if self.drives else None
        seen = set()
        for where, match in self.match_split(_LINE, _EXAMPLE):
            folder, frame, side = match.groups()
            drive = folder.split('/')[1]
            seen.add(drive)
            if side in self.sides and (wanted is None or drive in wanted):
                yield where, folder, int(frame), side
        if wanted is not None and wanted - seen:
            absent = sorted(wanted - seen)
            raise ValueError(
                f'{self.ann_file} has no line of the drives {absent}; correct `drives`'
            )

    def _find_drives(self) -> list[str]:
        """`date/drive` of `drives`, or of every folder two levels down that has images."""
        root = Path(self.data_root)
        if self.drives is None:
            found = {path.parents[0] for path in root.glob('*/*/image_0[23]')}
            return sorted(path.relative_to(root).as_posix() for path in found)
        folders = []
        for drive in self.drives:
            matches = [root / drive] if '/' in drive else sorted(root.glob(f'*/{drive}'))
            matches = [path for path in matches if path.is_dir()]
            if not matches:
                mend = 'unpack it there as <date>/<drive>/image_02/data or correct `drives`'
                raise FileNotFoundError(
                    f'{self.dataset_name}: drive {drive!r} is not under {root}; {mend}'
                )
            folders += [path.relative_to(root).as_posix() for path in matches]
        return folders

    def _list_frames(self, index: FileIndex) -> Iterator[tuple[str, str, int, str]]:
        for folder in self._find_drives():
            for side in self.sides:
                images = index.frames(self._image_folder(folder, side), self.extensions)
                for frame in sorted(images or ()):
                    yield f'{folder} {frame} {side}', folder, frame, side

    def _image_folder(self, folder: str, side: str) -> str:
        return os.path.join(self.data_root, folder, f'image_{CAMERAS[side]}', 'data')

    def _sample(
        self, index: FileIndex, folder: str, frame: int, side: str
    ) -> tuple[dict, str | None]:
        """The sample and what it lacks on disk (None: nothing)."""
        date, drive = folder.split('/')
        folders = (self._image_folder(folder, side), self._image_folder(folder, _OTHER[side]))
        paths, problem = find_frames(index, self.frame_ids, frame, folders, self.extensions)
        info: dict = dict(date=date, drive=drive, frame=frame, side=side, frame_paths=paths)
        if problem is None and self.with_gt:
            info['gt_path'], problem = self._find_gt(index, info)
            problem = problem and f'ground truth: {problem}'
        return info, problem

    def _find_gt(self, index: FileIndex, info: dict) -> tuple[str, str | None]:
        folder = os.path.join(info['date'], info['drive'])
        if self.gt == 'velodyne':
            scans = os.path.join(self.data_root, folder, 'velodyne_points', 'data')
            return index.find(scans, info['frame'], ('.bin',))
        root = self.improved_gt_root or self.data_root
        maps = os.path.join('proj_depth', 'groundtruth', f'image_{CAMERAS[info["side"]]}')
        for part in ('', 'train', 'val'):
            for drive in (folder, info['drive']):
                candidate = os.path.join(root, part, drive, maps)
                if index.frames(candidate, ('.png',)) is not None:
                    return index.find(candidate, info['frame'], ('.png',))
        mend = 'unpack data_depth_annotated.zip and set improved_gt_root'
        return '', f'no folder [train|val]/{info["drive"]}/{maps} under {root}; {mend}'

    def _calibration(self, date: str) -> KITTICalibration:
        if date not in self.calibrations:
            self.calibrations[date] = KITTICalibration(os.path.join(self.data_root, date))
        return self.calibrations[date]

    def check_camera(self, info: dict) -> None:
        """Also what the projection of LiDAR needs."""
        super().check_camera(info)
        if self.with_gt and self.gt == 'velodyne':
            self._calibration(info['date']).velodyne_to_image(info['side'])

    def load_camera(self, info: dict) -> dict:
        """Intrinsics of the rectified camera and the exact stereo pose of its date."""
        calibration, side = self._calibration(info['date']), info['side']
        # a calibration may be of one camera, where no stereo frame is asked for
        other = _OTHER[side] if 's' in self.frame_ids else side
        target, source = calibration.projection(side), calibration.projection(other)
        camera = self.rectified_camera(target, source, calibration.cam_path)
        return dict(camera, camera_size=calibration.size(side))

    def load_gt_depth(self, info: dict) -> np.ndarray:
        """Depth of the target frame at the original image size; see the class."""
        if self.gt == 'improved':
            return super().load_gt_depth(info)
        calibration = self._calibration(info['date'])
        matrix, size = calibration.velodyne_to_image(info['side']), calibration.size(info['side'])
        name = f'{info["drive"]}/{info["frame"]:010d}_{info["side"]}_{self.depth_axis}'
        return self.cache.get(
            name,
            matrix.tobytes() + repr(size).encode(),
            lambda: project_velodyne(read_points(info['gt_path']), matrix, size, self.depth_axis),
        )

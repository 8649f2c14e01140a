"""Anybody's own video: a folder of frames or a video file, with intrinsics in a small yaml."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmscd.registry import DATASETS
from mmscd.utils.files import natural_key, refuse_twins

from .base import BaseDepthDataset, Sample
from .formats.camera_file import CameraFile
from .formats.file_index import FileIndex
from .formats.images import IMAGE_EXTENSIONS, image_size, read_bytes, read_depth_png
from .formats.video_frames import extract_frames
from .formats.videos import VIDEO_EXTENSIONS
from .frames import windows
from .options import choose_positive, refuse_gt


@DATASETS.register_module()
class FolderDepthDataset(BaseDepthDataset):
    """Frames of one camera in natural sort order; every folder below the root is a sequence.

    Frames at the ends of a sequence, which lack a neighbour, are no targets.

    Args:
        data_root: a folder of frames (or of folders of frames), or a video file, of which the
            frames are extracted once.
        intrinsics: the yaml file, as given or under `data_root` (beside the video); see
            `CameraFile`.
        frame_ids: the target 0 first, and offsets in (kept) frames.
        stride: keep every n-th frame.
        scale_intrinsics: allow images of another size than the yaml's, and scale K.
        gt_root: folder with a 16-bit PNG of depth per target frame, at the same relative path;
            needed when `with_gt` is on. Without one `with_gt` is off, also in tests.
        gt_scale: stored value per metre.
        cache_dir: where frames of a video file are extracted; None: beside it.
        cache_format: `jpg` or `png`.
        **kwargs: of `BaseDepthDataset`.
    """

    has_stereo = has_splits = False
    listing_is_strict = True
    camera_keys = ('sequence',)

    def __init__(
        self,
        data_root: str,
        intrinsics: str = 'intrinsics.yaml',
        stride: int = 1,
        scale_intrinsics: bool = False,
        gt_root: str | None = None,
        gt_scale: float = 256.0,
        cache_dir: str | None = None,
        cache_format: str = 'jpg',
        **kwargs: Any,
    ) -> None:
        if gt_scale <= 0:
            raise ValueError(f'gt_scale must be positive, got {gt_scale!r}')
        if gt_root is None:
            refuse_gt(kwargs, 'needs gt_root, the folder of depth PNGs')
        self.intrinsics, self.scale_intrinsics = intrinsics, scale_intrinsics
        self.stride = choose_positive('stride', stride)
        self.gt_root = Path(gt_root).expanduser() if gt_root is not None else None
        self.gt_scale = gt_scale
        self.cache_dir, self.cache_format = cache_dir, cache_format
        super().__init__(data_root, **kwargs)

    def _sequences(self, root: Path) -> Iterator[tuple[str, list[str]]]:
        """(relative folder, file names in natural order) of every folder with images."""
        gt_root = self.gt_root.resolve() if self.gt_root is not None else None
        for folder, children, names in os.walk(root, followlinks=True):
            shown = (name for name in sorted(children, key=natural_key) if name[0] != '.')
            children[:] = [name for name in shown if Path(folder, name).resolve() != gt_root]
            shown = (name for name in sorted(names, key=natural_key) if name[0] != '.')
            images = [name for name in shown if name.lower().endswith(IMAGE_EXTENSIONS)]
            if images:
                refuse_twins(os.path.join(folder, name) for name in images)
                yield os.path.relpath(folder, root), images

    def list_samples(self, index: FileIndex) -> Iterator[Sample]:
        """The frames of every sequence that have all neighbours."""
        root, stride = Path(self.data_root), self.stride
        given = Path(self.intrinsics).expanduser()
        under = (root if root.is_dir() else root.parent) / given
        camera = CameraFile(given if given.is_file() else under)
        if not root.is_dir():
            if root.suffix.lower() not in VIDEO_EXTENSIONS:
                kinds = ', '.join(VIDEO_EXTENSIONS)
                raise ValueError(f'data_root {root} is neither a folder nor a video ({kinds})')
            root, stride = extract_frames(root, self.cache_dir, stride, self.cache_format), 1
        lengths, found = [], False
        for sequence, names in self._sequences(root):
            lengths.append(len(names))
            names = names[::stride]
            paths = [os.path.normpath(os.path.join(root, sequence, name)) for name in names]
            stored = self._sequence_camera(camera, paths[0])
            for positions in windows(len(names), self.frame_ids):
                target, found = positions[0], True
                frames = [paths[i] for i in positions]
                info = dict(stored, frame_paths=frames, sequence=sequence, frame=target)
                if self.gt_root is not None:
                    truth = self.gt_root / sequence / names[target]
                    info['gt_path'] = str(truth.with_suffix('.png'))
                yield paths[target], info, None
        if not found:
            raise FileNotFoundError(
                f'{self.dataset_name}: no target frames for frame_ids {self.frame_ids} and stride '
                f'{self.stride} under {root}: {len(lengths)} folders with images '
                f'({", ".join(IMAGE_EXTENSIONS)}), of {lengths[:8]} frames; correct data_root'
            )

    def _sequence_camera(self, camera: CameraFile, path: str) -> dict:
        size = image_size(read_bytes(path), path)
        K = camera.intrinsics(size, self.scale_intrinsics)
        if camera.size is not None and size != camera.size:
            text = f'intrinsics scaled from {camera.size} to {size} (width, height)'
            print_log(f'{camera.path}: {text}', 'current')
        return dict(K=K.tolist(), camera_size=size, camera_path=str(camera.path))

    def load_gt_depth(self, info: dict) -> np.ndarray:
        """Depth of the target frame, (H, W) float32 metres, 0 where there is none."""
        return read_depth_png(info['gt_path'], self.gt_scale)

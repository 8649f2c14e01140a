"""Cityscapes: video for training, disparities for evaluation, and its foggy copy."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from mmscd.registry import DATASETS
from mmscd.utils.schema import read_json

from .base import BaseDepthDataset, Sample
from .formats.arrays import camera_matrix, disparity_to_depth, finite_array
from .formats.file_index import FileIndex
from .formats.images import read_depth_png
from .frames import time_offset
from .options import choose, choose_positive

SIZE = (2048, 1024)
_NAME = re.compile(r'([a-z-]+)_(\d{6})_(\d{6})')
_LINE = r'(?:([a-z-]+)[ /](?=\1_))?([a-z-]+_\d{6}_\d{6})'
# the annotated image is number 20 of the 30 of its snippet
_BEFORE, _AFTER = 19, 10


@DATASETS.register_module()
class CityscapesDataset(BaseDepthDataset):
    """Cityscapes, 2048x1024, in its official layout.

    Layout (https://www.cityscapes-dataset.com and README of cityscapesScripts), `<split>` one of
    train, val, test, `<name>` such as `aachen_000001_000019` (city, sequence, frame):

    - `leftImg8bit/<split>/<city>/<name>_leftImg8bit.png` (annotated images), `rightImg8bit/...`;
    - `leftImg8bit_sequence/<split>/<city>/<name>_leftImg8bit.png` (30 frames around each annotated
      one, 17 Hz), `rightImg8bit_sequence/...`;
    - `camera/<split>/<city>/<name>_camera.json` (annotated frames): intrinsics in pixels, baseline
      in metres; other frames of the snippet share it;
    - `disparity/<split>/<city>/<name>_disparity.png`: uint16 p, 0 = none, disparity (p - 1) / 256.
      Made by semi-global matching: dense, but less exact than LiDAR.

    depth = baseline x fx / disparity. The lower quarter shows the bonnet: `CropFrames(window=(0,
    0.75, 0, 1.0))` cuts it off input and truth, as in all publications.

    Protocol (presets `cityscapes`, `foggy_cityscapes`): that of ManyDepth (CVPR 2021): 1525 test
    images, lower quarter off, then rows 256.. and columns 192..1856, 1e-3 to 80 m. Its authors
    distribute truth as `gt_depths/000_depth.npy`, in the order of their `test_files.txt`:
    `gt='npy'`. How they made these files is not published; `gt='disparity'` is the formula above.

    Args:
        data_root: see above.
        ann_file: lines `ulm ulm_000064_000012` or `ulm_000064_000012`; None: all that are there.
        frame_ids: ints are offsets of `stride` frames, from the sequence archive; `'s'` is the
            right camera.
        split: `train`, `val` or `test`.
        sequence: targets come from the sequence archive, so every frame can be one.
        stride: frames per step; 2 is KITTI's frame rate (SfMLearner and ManyDepth train so).
        gt: `disparity` or `npy`.
        gt_npy_dir: the folder of `000_depth.npy`, with `gt='npy'` and `ann_file`.
        **kwargs: of `BaseDepthDataset`.
    """

    image_folder = 'leftImg8bit'
    image_ending = '_leftImg8bit.png'
    condition = 'clear'
    camera_keys = ('city',)

    def __init__(
        self,
        data_root: str,
        ann_file: str | None = None,
        *args: Any,
        split: str = 'train',
        sequence: bool = False,
        stride: int = 2,
        gt: str = 'disparity',
        gt_npy_dir: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.split = choose('split', split, ('train', 'val', 'test'))
        self.gt = choose('gt', gt, ('disparity', 'npy'))
        if gt == 'npy' and (gt_npy_dir is None or ann_file is None):
            raise ValueError("gt='npy' needs gt_npy_dir, and ann_file: files count by its lines")
        self.stride = choose_positive('stride', stride)
        self.gt_npy_dir, self._suffix = gt_npy_dir or '', '_sequence' if sequence else ''
        self._cameras: dict[str, dict] = {}
        super().__init__(data_root, ann_file, *args, **kwargs)

    def list_samples(self, index: FileIndex) -> Iterator[Sample]:
        """The images that the split names, or all that are there."""
        annotated = self._annotated(index)
        lines = self.match_split(_LINE, '`ulm ulm_000064_000012` (city and name)')
        named = ((where, match[2]) for where, match in lines)
        asked = self._list_names(index) if self.ann_file is None else named
        for number, (where, name) in enumerate(asked):
            yield where, *self._sample(annotated, name, number)

    def _root(self, folder: str) -> str:
        return os.path.join(self.data_root, folder, self.split)

    def _list_names(self, index: FileIndex) -> Iterable[tuple[str, str]]:
        root = self._root(self.image_folder + self._suffix)
        mend = f'unpack these images there, or correct data_root and split (now {self.split!r})'
        for city in self.list_folder(index, root, mend):
            for name in sorted(index.names(os.path.join(root, city)) or ()):
                if name.endswith(self.image_ending):
                    yield name, name[: -len(self.image_ending)]

    def _annotated(self, index: FileIndex) -> dict[tuple[str, str], list[int]]:
        """Frames with a camera file, by city and sequence."""
        root = self._root('camera')
        frames: dict[tuple[str, str], list[int]] = {}
        for city in self.list_folder(index, root, 'unpack camera_trainvaltest.zip'):
            for name in index.names(os.path.join(root, city)) or ():
                match = _NAME.match(name)
                if match:
                    frames.setdefault((match[1], match[2]), []).append(int(match[3]))
        return frames

    def _file(self, folder: str, name: str, ending: str) -> str:
        return os.path.join(self._root(folder), name.split('_')[0], name + ending)

    def _frame_path(self, name: str, frame_id: int | str) -> str:
        city, sequence, frame = name.split('_')
        if frame_id == 0:
            return self._file(self.image_folder + self._suffix, name, self.image_ending)
        if frame_id == 's':
            return self._file('rightImg8bit' + self._suffix, name, '_rightImg8bit.png')
        name = f'{city}_{sequence}_{int(frame) + time_offset(frame_id) * self.stride:06d}'
        return self._file('leftImg8bit_sequence', name, '_leftImg8bit.png')

    def _sample(self, annotated: dict, name: str, number: int) -> tuple[dict, str | None]:
        city, sequence, frame = name.split('_')
        paths = [self._frame_path(name, frame_id) for frame_id in self.frame_ids]
        info = dict(frame_paths=paths, city=city, condition=self.condition)
        frames = annotated.get((city, sequence), ())
        own = [f for f in frames if f - _BEFORE <= int(frame) <= f + _AFTER]
        if not own:
            return info, f'no camera file for {name} or its snippet in {self._root("camera")}'
        # a snippet of its own comes first; where snippets meet, the nearer annotated frame
        nearest = min(own, key=lambda f: abs(f - int(frame)))
        camera = f'{city}_{sequence}_{nearest:06d}'
        info['camera_path'] = self._file('camera', camera, '_camera.json')
        info['gt_path'] = self._file('disparity', name, '_disparity.png')
        if self.gt == 'npy':
            info['gt_path'] = os.path.join(self.gt_npy_dir, f'{number:03d}_depth.npy')
        return info, None

    def _camera(self, path: str) -> dict:
        """K (3, 3) and the baseline in metres."""
        if path not in self._cameras:
            mend = 'restore it from camera_trainvaltest.zip'
            stored = read_json(path, mend, dict(intrinsic=dict, extrinsic=dict))
            K = camera_matrix(
                [stored['intrinsic'].get(key) for key in ('fx', 'fy', 'u0', 'v0')], path
            )
            baseline = stored['extrinsic'].get('baseline')
            baseline = float(finite_array(baseline, (), f'{path}: baseline'))
            if baseline <= 0:
                mend = 'restore the official file'
                raise ValueError(f'{path}: baseline must be positive, got {baseline:g}; {mend}')
            self._cameras[path] = dict(K=K, baseline=baseline)
        return self._cameras[path]

    def load_camera(self, info: dict) -> dict:
        """Intrinsics of the left camera and the pose of the right one."""
        stored = self._camera(info['camera_path'])
        camera = dict(K_ori=stored['K'].copy(), camera_size=SIZE)
        if 's' in self.frame_ids:
            camera['T_stereo'] = np.eye(4)
            camera['T_stereo'][0, 3] = -stored['baseline']
        return camera

    def load_gt_depth(self, info: dict) -> np.ndarray:
        """Depth of the left frame at its original size."""
        if self.gt == 'npy':
            return super().load_gt_depth(info)
        camera = self._camera(info['camera_path'])
        # pixels are (p - 1) / 256 of the stored p; p = 1 is infinitely far, 0 is unknown
        disparity = np.maximum(read_depth_png(info['gt_path'], scale=1) - 1, 0) / 256
        return disparity_to_depth(disparity, camera['baseline'] * camera['K'][0, 0])


@DATASETS.register_module()
class FoggyCityscapesDataset(CityscapesDataset):
    """Foggy Cityscapes: annotated images of Cityscapes with simulated fog, the truth of Cityscapes.

    Layout (https://www.cityscapes-dataset.com and https://people.ee.ethz.ch/~csakarid/SFSU_synthetic;
    Sakaridis et al., IJCV 2018): beside the folders of Cityscapes,
    `leftImg8bit_foggy/<split>/<city>/<name>_leftImg8bit_foggy_beta_0.02.png` with beta out of
    0.005, 0.01, 0.02. The second version `leftImg8bit_foggyDBF` has no test images, so the 1525
    images of the protocol come from the first.

    Args:
        data_root: of Cityscapes, see `CityscapesDataset`.
        beta: attenuation per metre; 0.02 is a visibility of 150 m, the densest.
        folder: of the foggy images.
        frame_ids: `(0,)` or `(0, 's')` (the right image is clear).
        **kwargs: of `CityscapesDataset`.
    """

    default_frame_ids = (0,)
    has_video = False

    def __init__(
        self,
        *args: Any,
        beta: float = 0.02,
        folder: str = 'leftImg8bit_foggy',
        split: str = 'test',
        **kwargs: Any,
    ) -> None:
        choose('beta', beta, (0.005, 0.01, 0.02))
        if kwargs.get('sequence'):
            raise ValueError('foggy images are no video: remove `sequence`')
        self.image_folder = folder
        self.image_ending = f'_leftImg8bit_foggy_beta_{beta:g}.png'
        self.condition = f'foggy beta {beta:g}'
        super().__init__(*args, split=split, **kwargs)

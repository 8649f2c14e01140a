"""DrivingStereo, weather subset: 500 stereo pairs each in sun, cloud, rain and fog."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmscd.registry import DATASETS

from .base import BaseDepthDataset, Sample
from .formats.file_index import FileIndex
from .formats.images import image_size, read_bytes
from .formats.kitti_calibration import projection_matrix, read_calibration_file
from .options import choose, choose_all

CONDITIONS = ('sunny', 'cloudy', 'rainy', 'foggy')
_EXTENSIONS = {'half': '.jpg', 'full': '.png'}
# focal lengths of the half-size images; the weather archives come without calibration
_NOMINAL_FOCAL = (1003.556, 1006.938)


@DATASETS.register_module()
class DrivingStereoDataset(BaseDepthDataset):
    """The weather subset of DrivingStereo (Yang et al., CVPR 2019).

    Layout (https://drivingstereo-dataset.github.io, "Different weathers" archives, unpacked beside
    each other), here for `size='half'`: `<weather>/left-image-half-size/<name>.jpg`,
    `<weather>/right-image-half-size/<name>.jpg`, `<weather>/depth-map-half-size/<name>.png`
    (uint16, metres x 256, 0 = none; the same folders with `full` hold PNG images). `<name>` is
    `<sequence>_<moment>`, e.g. `2018-10-25-07-37-26_2018-10-25-07-45-25-505`. Calibration, from
    another archive of that page: `half-image-calib/<sequence>.txt` or
    `calib/half-image-calib/<sequence>.txt`, format of KITTI raw with cameras 101 (left) and 103.

    Without calibration K is nominal (focal lengths of the data set, principal point in the centre),
    which single-image evaluation does not read; stereo pairs then are refused.

    Protocol (preset `driving_stereo`): ground truth above 0, no crop, predictions clipped to 80 m,
    per-image median scaling, as in the evaluations of Robust-Depth (ICCV 2023) and WeatherDepth
    (ICRA 2024). These use full-size images; results on half size differ slightly: say which.

    Args:
        data_root: holds the folders of the weathers.
        ann_file: lines `<weather>/<name>` or `<weather> <name>`; None: all images there.
        frame_ids: `(0,)` or `(0, 's')`: the frames are no video.
        weathers: out of sunny, cloudy, rainy, foggy; None: all four. A sample's `condition`.
        size: `half` (about 880x400) or `full` (about 1760x800).
        **kwargs: of `BaseDepthDataset`.
    """

    default_frame_ids = (0,)
    has_video = False
    listing_is_strict = True
    camera_keys = ('sequence',)

    def __init__(
        self, *args: Any, weathers: Sequence[str] | None = None, size: str = 'full', **kwargs: Any
    ) -> None:
        self.weathers = choose_all('weathers', weathers, CONDITIONS)
        self.size = choose('size', size, tuple(_EXTENSIONS))
        self._warned = False
        super().__init__(*args, **kwargs)

    def list_samples(self, index: FileIndex) -> Iterator[Sample]:
        """The images that the split names, or all of the weathers."""
        extension = _EXTENSIONS[self.size]
        for where, weather, name in self._names(index):
            kinds = ['right-image' if f == 's' else 'left-image' for f in self.frame_ids]
            folders = [self._folder(weather, kind) for kind in kinds]
            info = dict(
                frame_paths=[os.path.join(folder, name + extension) for folder in folders],
                condition=weather,
                sequence=name.partition('_')[0],
                gt_path=os.path.join(self._folder(weather, 'depth-map'), f'{name}.png'),
            )
            yield where, info, None

    def _folder(self, weather: str, kind: str) -> str:
        return os.path.join(self.data_root, weather, f'{kind}-{self.size}-size')

    def _names(self, index: FileIndex) -> list[tuple[str, str, str]]:
        """(where, weather, name without extension)."""
        if self.ann_file is not None:
            pattern = f'({"|".join(CONDITIONS)})[ /]([^ /]+)'
            expected = f'`<weather>/<name>` with a weather out of {CONDITIONS}'
            lines = self.match_split(pattern, expected)
            return [(where, match[1], os.path.splitext(match[2])[0]) for where, match in lines]
        found = []
        for weather in self.weathers:
            folder = self._folder(weather, 'left-image')
            mend = f'unpack it there, leave it out of weathers, or change size (now {self.size!r})'
            for name in self.list_folder(index, folder, mend):
                stem, extension = os.path.splitext(name)
                if extension == _EXTENSIONS[self.size]:
                    found.append((f'{weather}/{stem}', weather, stem))
        return found

    def load_camera(self, info: dict) -> dict:
        """Intrinsics and stereo pose of the sequence, nominal where there is no calibration."""
        name = os.path.join(f'{self.size}-image-calib', f'{info["sequence"]}.txt')
        candidates = [os.path.join(self.data_root, folder, name) for folder in ('', 'calib')]
        path = next(filter(os.path.isfile, candidates), None)
        if path is None:
            return dict(K_ori=self._nominal(info))
        values = read_calibration_file(path)
        left, right = (projection_matrix(values, f'P_rect_{c}', path) for c in (101, 103))
        return self.rectified_camera(left, right, path)

    def _nominal(self, info: dict) -> np.ndarray:
        if 's' in self.frame_ids:
            raise FileNotFoundError(
                f'{self.dataset_name}: no {self.size}-image-calib/{info["sequence"]}.txt under '
                f'{self.data_root}[/calib]; unpack the calibration archive, or set frame_ids=(0,)'
            )
        if not self._warned:
            self._warned = True
            text = f'no calibration under {self.data_root}, K is nominal'
            print_log(f'{self.dataset_name}: {text}', 'current')
        path = info['frame_paths'][0]
        width, height = image_size(read_bytes(path), path)
        fx, fy = (focal * (2 if self.size == 'full' else 1) for focal in _NOMINAL_FOCAL)
        return np.array([[fx, 0, (width - 1) / 2], [0, fy, (height - 1) / 2], [0, 0, 1]])

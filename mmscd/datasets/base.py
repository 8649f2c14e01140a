"""The base of all data sets: an index of samples over video frames, and nothing else."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmscd.registry import TRANSFORMS

from .formats.arrays import read_depth_npy
from .formats.file_index import FileIndex
from .formats.images import check_size, image_size, read_bytes, read_depth_png
from .formats.kitti_calibration import stereo_from_projections
from .frames import check_frame_ids

_SHOWN_PROBLEMS = 5
# where it is asked for (such as `file:line`); the sample; what it lacks, or None
Sample = tuple[str, dict[str, Any], str | None]


class BaseDepthDataset(BaseDataset):
    """Samples of a target frame and its source frames, with intrinsics and ground truth.

    A subclass implements `list_samples` and, where the samples do not hold it all, `load_camera`
    and `load_gt_depth`. What the pipeline gets is the dict of `get_data_info`:

    - `frame_ids`, `frame_paths` (same order), `img_path` (the target's), `sample_idx`;
    - `K_ori` (3, 3) float64 in pixels of the original image, `T_stereo` (4, 4) float64 metres
      (T_source_target of `'s'`, when asked for);
    - `draw_key`: the int64 that all random draws of the sample come from. It is the one of the
      `SampleIndex` that the sampler gave, else a random one;
    - `gt_depth` (H, W) float32 metres, 0 where there is none, when `with_gt`.

    Whatever can be known at start-up is checked there, from one listing per folder; `incomplete`
    then lists what is missing of samples that are not complete on disk, and `named` says whether
    these were asked for by name (else ends of sequences are among them).

    Attributes:
        default_frame_ids: `frame_ids` where none are given.
        has_video: images have neighbours in time.
        has_stereo: images have partners `'s'`.
        has_splits: `ann_file` may name the samples.
        listing_is_strict: without `ann_file` a sample that is incomplete is an error, too.
        camera_keys: of a sample; those that have them in common are of one camera, which is checked
            once at start-up.

    Args:
        data_root: folder of the data.
        ann_file: the split file, as given or under `data_root`; None where the subclass can index
            by listing.
        frame_ids: the target 0 first; ints are offsets in time, `'s'` is the other camera of a
            stereo pair. None: `default_frame_ids`.
        pipeline: transforms, as configs or callables.
        test_mode: validation and test.
        with_gt: load the ground truth; None: as `test_mode`.
        missing: what to do with samples that are named but incomplete on disk: `error`, or `drop`
            with a warning that counts them.
        dataset_name: a name for reports; None: the class name.
        **kwargs: of mmengine's `BaseDataset` (`indices`, `serialize_data`, `lazy_init`, ...).
    """

    ann_file: str
    data_root: str
    default_frame_ids: tuple[int | str, ...] = (0, -1, 1)
    has_video = True
    has_stereo = True
    has_splits = True
    listing_is_strict = False
    camera_keys: tuple[str, ...] = ()

    def __init__(
        self,
        data_root: str | os.PathLike,
        ann_file: str | None = None,
        frame_ids: Sequence[int | str] | None = None,
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        with_gt: bool | None = None,
        missing: str = 'error',
        dataset_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if missing not in ('error', 'drop'):
            raise ValueError(f"missing must be 'error' or 'drop', got {missing!r}")
        if ann_file is not None and not self.has_splits:
            raise ValueError(f'ann_file is not used by {type(self).__name__}, remove it')
        frame_ids = self.default_frame_ids if frame_ids is None else frame_ids
        self.frame_ids = check_frame_ids(frame_ids, self.has_video, self.has_stereo)
        self.with_gt = test_mode if with_gt is None else with_gt
        self.missing = missing
        self.incomplete: list[str] = []
        self.named = True
        self.dataset_name = dataset_name or type(self).__name__
        data_root = os.path.expanduser(str(data_root))
        if not os.path.exists(data_root):
            raise FileNotFoundError(
                f'{self.dataset_name}: data_root {data_root!r} does not exist (working directory '
                f'{os.getcwd()}); set data_root to where the data is, or link it there'
            )
        super().__init__(
            ann_file=ann_file,
            data_root=data_root,
            # built here: mmengine's Compose finds our transforms only where mmscd is the scope
            pipeline=[TRANSFORMS.build(t) if isinstance(t, dict) else t for t in pipeline],
            test_mode=test_mode,
            **kwargs,
        )
        self._metainfo['dataset_name'] = self.dataset_name

    def _join_prefix(self) -> None:
        """Find the split file: split folders need not lie under the data root."""
        if self.ann_file is None:
            return
        given = Path(self.ann_file).expanduser()
        for path in (given, Path(self.data_root) / given):
            if path.is_file():
                self.ann_file = str(path)
                return
        raise FileNotFoundError(
            f'{self.dataset_name}: split file {str(given)!r} exists neither as given (working '
            f'directory {os.getcwd()}) nor under {self.data_root!r}; the official KITTI splits '
            'come from `python tools/dataset_converters/prepare_kitti_splits.py`'
        )

    def list_samples(self, index: FileIndex) -> Iterable[Sample]:
        """All samples.

        Args:
            index: of the files on disk.

        Returns:
            where each is asked for (such as `file:line`); the sample, with `frame_paths`, one per
            frame id, and further paths under keys that end in `_path`; None, or what it lacks
            other than these files, which are looked for here.
        """
        raise NotImplementedError(f'{type(self).__name__} must implement list_samples')

    def load_data_list(self) -> list[dict]:
        """The samples that are complete on disk, with a look at every camera."""
        index = FileIndex()
        samples = (self._look(index, *sample) for sample in self.list_samples(index))
        named = self.listing_is_strict or self.ann_file is not None
        data_list = self.keep_complete(samples, named)
        cameras = {str([info[key] for key in self.camera_keys]): info for info in data_list}
        for info in cameras.values():
            self.check_camera(info)
        return data_list

    def _look(self, index: FileIndex, where: str, info: dict, problem: str | None) -> Sample:
        """The sample, with what it lacks on disk."""
        if not self.with_gt:
            info.pop('gt_path', None)
        if problem is None:
            others = (path for key, path in info.items() if key.endswith('_path') and path)
            problem = index.first_problem([*info['frame_paths'], *others])
        return where, info, problem

    def list_folder(self, index: FileIndex, folder: str | os.PathLike, mend: str) -> list[str]:
        """Names in a folder, sorted.

        Raises:
            FileNotFoundError: it is missing or empty; ends with `mend`.
        """
        names = index.names(str(folder))
        if not names:
            raise FileNotFoundError(
                f'{self.dataset_name}: folder {folder} does not exist or is empty; {mend}'
            )
        return sorted(names)

    def load_camera(self, info: dict) -> dict:
        """`K_ori` and, for stereo samples, `T_stereo`; optionally `camera_size` (width, height)
        for which `K_ori` holds, which the loaded images must have. Here: `K` and `camera_size` of
        the sample."""
        camera: dict[str, Any] = dict(K_ori=np.array(info['K'], np.float64))
        if 'camera_size' in info:
            camera['camera_size'] = tuple(info['camera_size'])
        return camera

    def rectified_camera(self, target: np.ndarray, source: np.ndarray, what: Any) -> dict:
        """What `load_camera` gives, of the projection matrices (3, 4) of a camera and of its
        stereo partner; `what` names their file in errors."""
        camera = dict(K_ori=target[:, :3].copy())
        if 's' in self.frame_ids:
            camera['T_stereo'] = stereo_from_projections(target, source, what)
        return camera

    def load_gt_depth(self, info: dict) -> np.ndarray:
        """Ground truth of a sample, (H, W) float32 metres, 0 where there is none. Here: of its
        `gt_path`, a 16-bit PNG of KITTI's encoding or a NumPy file."""
        if 'gt_path' not in info:
            name = type(self).__name__
            raise NotImplementedError(f'{name} has no ground truth; set with_gt=False')
        path = info['gt_path']
        return read_depth_npy(path) if path.endswith('.npy') else read_depth_png(path)

    def filter_data(self) -> list[dict]:
        """Filter nothing; an empty index is an error here and not at the first batch."""
        if not self.data_list:
            place = self.ann_file or self.data_root
            raise ValueError(f'{self.dataset_name}: {place} has no samples for these options')
        return self.data_list

    def get_data_info(self, idx: int) -> dict:
        """The dict that the pipeline starts from; see the class.

        Args:
            idx: of the sample; a `SampleIndex` brings its own `draw_key`.
        """
        info = super().get_data_info(idx)
        info['sample_idx'] = int(info['sample_idx'])
        info['frame_ids'] = list(self.frame_ids)
        info['img_path'] = info['frame_paths'][0]
        info.update(self.load_camera(info))
        draw_key = getattr(idx, 'draw_key', None)
        if draw_key is None:
            limits = np.iinfo(np.int64)
            draw_key = np.random.randint(limits.min, limits.max, dtype=np.int64)
        info['draw_key'] = int(draw_key)
        if self.with_gt:
            info['gt_depth'] = self.load_gt_depth(info)
        return info

    def __getitem__(self, idx: int) -> Any:
        """The sample after the pipeline. Unlike mmengine's base, an unreadable file is an error
        and never quietly another sample."""
        data = self.prepare_data(idx)
        if data is None:
            raise ValueError(f'{self.dataset_name}: the pipeline returned None for sample {idx}')
        return data

    def read_split(self) -> Iterator[tuple[str, str]]:
        """(`file:line`, text) of every line of `ann_file` that is not empty, stripped."""
        with open(self.ann_file, encoding='utf-8') as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield f'{self.ann_file}:{number}', line.strip()

    def check_camera(self, info: dict) -> None:
        """Raise at start-up what the calibration of a sample would raise, and where it is of
        another size than the image."""
        expected = self.load_camera(info).get('camera_size')
        path = info['frame_paths'][0]
        check_size(path, image_size(read_bytes(path), path), expected)

    def keep_complete(self, samples: Iterable[Sample], named: bool) -> list[dict]:
        """Sort out the samples of which something is missing on disk.

        Args:
            samples: see `list_samples`.
            named: the samples were asked for by name, so that a missing one is an error (or counted
                in a warning, see `missing`); others are left out with a note.

        Raises:
            FileNotFoundError: names the first few problems.
        """
        complete, problems = [], []
        for where, info, problem in samples:
            if problem is None:
                complete.append(info)
            else:
                problems.append(f'{where}: {problem}')
        self.incomplete, self.named = problems, named
        total = len(complete) + len(problems)
        listed = '\n  '.join(problems[:_SHOWN_PROBLEMS])
        if len(problems) > _SHOWN_PROBLEMS:
            listed += f'\n  ... and {len(problems) - _SHOWN_PROBLEMS} more'
        if problems and (not complete or (named and self.missing == 'error')):
            mend = (
                "get the missing files, name others, or set missing='drop' to go on without them"
                if complete
                else f'check data_root {self.data_root!r}, frame_ids {self.frame_ids} and the '
                'options of the data set'
            )
            raise FileNotFoundError(
                f'{self.dataset_name}: {len(problems)} of {total} samples are incomplete:\n'
                f'  {listed}\n{mend}'
            )
        if problems:
            first = f' (first: {problems[0]})' if named else ''
            print_log(
                f'{self.dataset_name}: {len(problems)} of {total} samples are incomplete and left '
                f'out{first}',
                logger='current',
                level=logging.WARNING if named else logging.INFO,
            )
        return complete

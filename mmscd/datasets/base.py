"""The base of all data sets: an index of samples over video frames, and nothing else."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmscd.registry import TRANSFORMS
from mmscd.utils.text import read_text

from .formats.arrays import read_depth_npy
from .formats.camera_file import check_pinhole
from .formats.file_index import FileIndex
from .formats.images import check_size, image_size, read_bytes, read_depth_png
from .formats.kitti_calibration import stereo_from_projections
from .frames import check_frame_ids
from .prepared import PreparedFrames
from .samplers import draw_key
from .transforms.resize import ResizeFrames

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
        gt_shows_image: the ground truth shows what the image shows, which `LoadFrames` checks.
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
        packed: folder of frames at the network's size, made where it is missing (`PreparedFrames`).
        on_device: keep these on the GPU, or in memory. Both are for training.
        **kwargs: of mmengine's `BaseDataset` (`indices`, `serialize_data`, `lazy_init`, ...).
    """

    ann_file: str
    data_root: str
    default_frame_ids: tuple[int | str, ...] = (0, -1, 1)
    has_video = True
    has_stereo = True
    has_splits = True
    gt_shows_image = True
    listing_is_strict = False
    camera_keys: tuple[str, ...] = ()
    prepared: PreparedFrames | None

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
        packed: str | None = None,
        on_device: bool = False,
        **kwargs: Any,
    ) -> None:
        if missing not in ('error', 'drop'):
            raise ValueError(f"missing must be 'error' or 'drop', got {missing!r}")
        if ann_file is not None and not self.has_splits:
            raise ValueError(f'ann_file is not used by {type(self).__name__}, remove it')
        frame_ids = self.default_frame_ids if frame_ids is None else frame_ids
        self.frame_ids = check_frame_ids(frame_ids, self.has_video, self.has_stereo)
        self.with_gt = test_mode if with_gt is None else with_gt
        self.missing, self.named = missing, True
        self.packed, self.on_device, self.prepared = packed, on_device, None
        self.incomplete: list[str] = []
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
        found = next(filter(Path.is_file, (given, Path(self.data_root) / given)), None)
        if found is None:
            raise FileNotFoundError(
                f'{self.dataset_name}: split file {str(given)!r} exists neither as given (working '
                f'directory {os.getcwd()}) nor under {self.data_root!r}; the official KITTI splits '
                'come from `python tools/dataset_converters/prepare_kitti_splits.py`'
            )
        self.ann_file = str(found)

    def list_samples(self, index: FileIndex) -> Iterable[Sample]:
        """All samples: where each is asked for (such as `file:line`); the sample, with
        `frame_paths`, one per frame id, and further paths under keys that end in `_path`; None, or
        what it lacks other than these files, which the base looks for. `index` is of the files on
        disk."""
        raise NotImplementedError(f'{type(self).__name__} must implement list_samples')

    def load_data_list(self) -> list[dict]:
        """The samples that are complete on disk, with a look at every camera."""
        index = FileIndex()
        data_list = self._keep_complete(index)
        cameras = {str([info[key] for key in self.camera_keys]): info for info in data_list}
        for info in cameras.values():
            self.check_camera(info)
        return data_list

    def list_folder(self, index: FileIndex, folder: str | os.PathLike, mend: str) -> list[str]:
        """Names in a folder, sorted; FileNotFoundError, ending with `mend`, where there are
        none."""
        names = index.names(str(folder))
        if not names:
            what = f'{self.dataset_name}: folder {folder}'
            raise FileNotFoundError(f'{what} does not exist or is empty; {mend}')
        return sorted(names)

    def load_camera(self, info: dict) -> dict:
        """`K_ori` and, for stereo samples, `T_stereo`; optionally `camera_size` (width, height)
        for which `K_ori` holds, which the loaded images must have, and `camera_path`, the file
        that says so. Here: `K` and `camera_size` of the sample."""
        camera: dict[str, Any] = dict(K_ori=np.array(info['K'], np.float64))
        if 'camera_size' in info:
            camera['camera_size'] = tuple(info['camera_size'])
        return camera

    def rectified_camera(self, target: np.ndarray, source: np.ndarray, what: Any) -> dict:
        """What `load_camera` gives, of the projection matrices (3, 4) of a camera and of its
        stereo partner; `what` names their file in errors."""
        camera = dict(K_ori=target[:, :3].copy(), camera_path=str(what))
        if 's' in self.frame_ids:
            camera['T_stereo'] = stereo_from_projections(target, source, what)
        return camera

    def load_gt_depth(self, info: dict) -> np.ndarray:
        """Ground truth of a sample, (H, W) float32 metres, 0 where there is none. Here: of its
        `gt_path`, a 16-bit PNG of KITTI's encoding or a NumPy file."""
        if 'gt_path' not in info:
            text = 'has no ground truth; set with_gt=False'
            raise NotImplementedError(f'{type(self).__name__} {text}')
        path = info['gt_path']
        return read_depth_npy(path) if path.endswith('.npy') else read_depth_png(path)

    def filter_data(self) -> list[dict]:
        """Filter nothing; an empty index is an error here and not at the first batch."""
        if not self.data_list:
            place = self.ann_file or self.data_root
            raise ValueError(f'{self.dataset_name}: {place} has no samples for these options')
        return self.data_list

    def get_data_info(self, idx: int) -> dict:
        """The dict that the pipeline starts from, see the class; a `SampleIndex` has its
        `draw_key`."""
        info = super().get_data_info(idx)
        info['sample_idx'] = int(info['sample_idx'])
        info['frame_ids'] = list(self.frame_ids)
        info['img_path'] = info['frame_paths'][0]
        info.update(self.load_camera(info))
        info['draw_key'] = draw_key(idx)
        if self.with_gt:
            info['gt_depth'] = self.load_gt_depth(info)
            info['gt_shows_image'] = self.gt_shows_image
        return info

    def full_init(self) -> None:
        """mmengine's; then the frames are prepared, where that is asked for."""
        super().full_init()
        if (self.packed or self.on_device) and self.prepared is None:
            self.prepared = PreparedFrames(self, self.packed, self.on_device)

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """What PyTorch's loader collates: the samples, or a batch where frames are prepared."""
        return self.prepared.batch(indices) if self.prepared else [self[i] for i in indices]

    def __getitem__(self, idx: int) -> Any:
        """The sample after the pipeline. Unlike mmengine's base, an unreadable file is an error
        and never quietly another sample."""
        data = self.prepared.sample(idx) if self.prepared else self.prepare_data(idx)
        if data is None:
            raise ValueError(f'{self.dataset_name}: the pipeline returned None for sample {idx}')
        return data

    def read_split(self) -> Iterator[tuple[str, str]]:
        """(`file:line`, text) of every line of `ann_file` that is not empty, stripped; ValueError
        where one leads out of the data root."""
        for number, line in enumerate(read_text(self.ann_file).splitlines(), 1):
            where, line = f'{self.ann_file}:{number}', line.strip()
            if line[:1] == '/' or ('..' in line and '..' in re.split(r'[\s/\\]', line)):
                raise ValueError(f'{where}: {line!r} leads out of data_root; name files below it')
            if line:
                yield where, line

    def match_split(self, pattern: str, expected: str) -> Iterator[tuple[str, re.Match]]:
        """(`file:line`, match) of these lines; ValueError where one is not as `expected`."""
        for where, line in self.read_split():
            match = re.fullmatch(pattern, line)
            if match is None:
                raise ValueError(f'{where}: expected {expected}, got {line!r}; correct the line')
            yield where, match

    def check_camera(self, info: dict) -> None:
        """Raise at start-up what the calibration of a sample would raise, and where it is of
        another size than the image, or not in pixels; warn where images will be squeezed."""
        camera, path = self.load_camera(info), info['frame_paths'][0]
        size = image_size(read_bytes(path), path)
        file = camera.get('camera_path', info.get('camera_path'))
        check_size(path, size, camera.get('camera_size'), file)
        own = f' {file}' if file else ''
        check_pinhole(camera['K_ori'], size, f'{self.dataset_name}: camera{own} of {path}')
        for step in self.pipeline.transforms:
            target = step.size if isinstance(step, ResizeFrames) else (1, 1)
            if (size[0] - size[1]) * (target[0] - target[1]) < 0:
                text = '{} is {}x{}, and is resized to {}x{}'.format(path, *size, *target)
                print_log(f'{text}: sizes are (width, height)', 'current', logging.WARNING)

    def _keep_complete(self, index: FileIndex) -> list[dict]:
        """The samples of which nothing is missing on disk. If they were asked for by name, a
        missing one is an error that names the first few (or counted in a warning, see `missing`);
        others are left out with a note."""
        self.named = self.listing_is_strict or self.ann_file is not None
        complete, problems = [], []
        for where, info, problem in self.list_samples(index):
            if not self.with_gt:
                info.pop('gt_path', None)
            if problem is None:
                others = (path for key, path in info.items() if key.endswith('_path') and path)
                problem = index.first_problem([*info['frame_paths'], *others])
            if problem is None:
                complete.append(info)
            else:
                problems.append(f'{where}: {problem}')
        self.incomplete = problems
        if not problems:
            return complete
        total = len(complete) + len(problems)
        count = f'{self.dataset_name}: {len(problems)} of {total} samples are incomplete'
        if not complete or (self.named and self.missing == 'error'):
            listed = problems[:_SHOWN_PROBLEMS]
            if len(problems) > _SHOWN_PROBLEMS:
                listed.append(f'... and {len(problems) - _SHOWN_PROBLEMS} more')
            mend = f'check data_root {self.data_root!r}, frame_ids {self.frame_ids}, other options'
            if complete:
                mend = "get the missing files, name others, or set missing='drop' to leave them out"
            raise FileNotFoundError('\n  '.join([f'{count}:', *listed]) + f'\n{mend}')
        first = f' (first: {problems[0]})' if self.named else ''
        level = logging.WARNING if self.named else logging.INFO
        print_log(f'{count} and left out{first}', logger='current', level=level)
        return complete

"""`KITTISubmission`: predictions as the KITTI depth-prediction benchmark takes them."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmscd.evaluation.functional import is_computed
from mmscd.evaluation.samples import predicted_depth
from mmscd.registry import METRICS
from mmscd.utils.files import atomic_write

from .base import SampleMetric, log

SCALE = 256.0
N_IMAGES = 500


def encode_depth(depth: np.ndarray) -> bytes:
    """Depth (H, W), positive metres, as a PNG of the benchmark: uint16, metres x 256, cut off at
    65535. The server reads 0 as "no prediction" and fills it in, so every value is at least 1."""
    if not np.isfinite(depth).all():
        raise ValueError('depth to submit must be finite; clip it first')
    stored = np.clip(np.round(depth.astype(np.float64) * SCALE), 1, np.iinfo(np.uint16).max)
    written, data = cv2.imencode('.png', stored.astype(np.uint16))
    assert written
    return data.tobytes()


@METRICS.register_module()
class KITTISubmission(SampleMetric):
    """Writes one PNG per image, named as the image; computes nothing.

    Zip the files (not the folder) and hand them in at
    https://www.cvlibs.net/datasets/kitti/eval_depth.php?benchmark=depth_prediction. The server
    aligns nothing: a model that knows depth up to scale only needs `scale`, e.g. the median of
    `scale_ratio` that `DepthMetric` prints for `val_selection_cropped`.

    Files are written under a temporary name and renamed, as each batch is done: an interrupted run
    leaves whole files. Over several ranks every rank writes its own.

    Args:
        out_dir: folder of the PNGs, made if need be.
        scale: predictions are multiplied by it.
        min_depth: and clipped to it from below, metres.
        max_depth: and to this from above.
        n_images: expected number; another one is warned of. None: any.
        **kwargs: see `SampleMetric`.

    The metrics: `n_written`.

    Raises:
        OSError: `out_dir` cannot be written to.
    """

    def __init__(
        self,
        out_dir: str | os.PathLike,
        scale: float = 1.0,
        min_depth: float = 1e-3,
        max_depth: float = 80.0,
        n_images: int | None = N_IMAGES,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 < scale < float('inf'):
            raise ValueError(f'scale must be a positive number, got {scale!r}')
        if not 0 < min_depth < max_depth < 65536 / SCALE:
            given = f'{min_depth!r} and {max_depth!r}'
            raise ValueError(f'PNGs hold 0 < min_depth < max_depth < 256 metres, got {given}')
        self.out_dir = Path(out_dir).expanduser()
        self.scale, self.n_images = scale, n_images
        self.min_depth, self.max_depth = min_depth, max_depth
        self._write('.writable', b'')
        (self.out_dir / '.writable').unlink(missing_ok=True)

    def _write(self, name: str, data: bytes) -> None:
        try:
            atomic_write(self.out_dir / name, data)
        except OSError as error:
            mend = 'set out_dir to a folder that can be written'
            raise OSError(f'cannot write {self.out_dir / name}: {error}; {mend}') from error

    def judge_sample(self, sample: Mapping[str, Any]) -> str:
        """Write the depth of an image; returns the file's name."""
        depth = np.asarray(predicted_depth(sample, tuple(sample['ori_shape'])), np.float64)
        if not is_computed(depth):
            raise ValueError(f'{sample["img_path"]}: the predicted depth is not finite')
        depth = depth * self.scale
        name = f'{Path(sample["img_path"]).stem}.png'
        self._write(name, encode_depth(np.clip(depth, self.min_depth, self.max_depth)))
        return name

    def compute_metrics(self, results: list[str]) -> dict[str, int]:
        """The number of files; warns where it is not the expected one."""
        count = len(set(results))
        log(f'{count} depth maps are in {self.out_dir}')
        if self.n_images is not None and count != self.n_images:
            log(
                f'the benchmark expects {self.n_images} files, these are {count}: check the data '
                'set, or whether the loop ended early',
                logging.WARNING,
            )
        return dict(n_written=count)

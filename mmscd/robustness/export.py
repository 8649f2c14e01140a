"""A KITTI-C on disk: corrupted copies of images of KITTI raw, in the layout of RoboDepth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from mmscd.corruptions import CORRUPTIONS, SEVERITIES, corrupt, image_id_from_path
from mmscd.datasets.formats.images import write_rgb
from mmscd.datasets.kitti_raw import KITTIRawDataset
from mmscd.utils.files import check_writable
from mmscd.utils.processes import spread
from mmscd.utils.progress import track
from mmscd.utils.schema import keep_settings

from .data import check_images, start_worker
from .examples import Example, example_sheet
from .scores import CLEAN


class KittiC:
    """Images of KITTI raw, which is only read, and what is made of them.

    They are those of the file `split` (lines `date/drive frame side`), or all of `drives`
    (`date/drive` each), shrunk to `size` (width, height) before they are corrupted; None: as
    stored. `suffix` is png or jpg. OSError or ValueError where the split or an image is broken.
    """

    def __init__(
        self,
        data_root: str,
        split: str | None = None,
        drives: Sequence[str] | None = None,
        size: tuple[int, int] | None = (640, 192),
        corruptions: Sequence[str] = CORRUPTIONS,
        severities: Sequence[int] = SEVERITIES,
        seed: int = 42,
        suffix: str = 'png',
    ) -> None:
        pipeline = [dict(type='LoadFrames'), dict(type='ResizeFrames', size=size)]
        self.dataset = KITTIRawDataset(
            data_root,
            split,
            frame_ids=(0,),
            drives=drives,
            gt=None,
            test_mode=True,
            pipeline=pipeline if size else pipeline[:1],
        )
        check_images(self.dataset)
        self.size, self.seed, self.suffix = size, seed, suffix
        self.corruptions, self.severities = corruptions, severities

    def read(self, number: int) -> tuple[np.ndarray, str]:
        """An image as the network gets it, uint8 RGB (H, W, 3), and its id."""
        results = self.dataset[number]
        return results['frames'][0], image_id_from_path(results['img_path'], self.dataset.data_root)

    def draw_sheet(self, cell_width: int = 320) -> np.ndarray:
        """The first image, a row for each of all corruptions, a column per severity; uint8 RGB."""
        image, image_id = self.read(0)
        cells: list[Example] = [(CLEAN, image, [])] * len(CORRUPTIONS)
        for level in SEVERITIES:
            for name in CORRUPTIONS:
                corrupted = corrupt(image, name, level, self.seed, image_id)
                cells.append((f'{name} {level}', corrupted, []))
        return example_sheet(cells, cell_width, 1 + len(SEVERITIES))

    def write(self, out: Path, workers: int = 1) -> int:
        """Write what is missing of `[<corruption>/<severity> or clean]/kitti_data/...`; how many.

        ValueError where the folder was begun with other settings, so that sets would mix.
        """
        check_writable(out)
        settings = dict(seed=self.seed, size=self.size and list(self.size), format=self.suffix)
        keep_settings(out, 'kitti_c.json', settings)
        count = len(self.dataset)
        results = spread(partial(self._convert, out), range(count), workers, start_worker)
        return sum(track(results, count))

    def _convert(self, out: Path, number: int) -> int:
        """Write what is missing of one image; returns the number of files written."""
        path = self.dataset.get_data_info(number)['img_path']
        name = f'kitti_data/{image_id_from_path(path, self.dataset.data_root)}.{self.suffix}'
        targets = {(CLEAN, 0): out / CLEAN / name}
        for pass_ in product(self.corruptions, self.severities):
            targets[pass_] = out / pass_[0] / str(pass_[1]) / name
        missing = {pass_: target for pass_, target in targets.items() if not target.is_file()}
        if missing:
            image, image_id = self.read(number)
        for pass_, target in missing.items():
            picture = image if pass_[0] == CLEAN else corrupt(image, *pass_, self.seed, image_id)
            write_rgb(target, picture)
        return len(missing)

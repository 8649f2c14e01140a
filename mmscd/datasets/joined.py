"""Several data sets in one training."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.dataset import ConcatDataset

from mmscd.registry import DATASETS

from .prepared import make_batch


@DATASETS.register_module()
class JoinedDataset(ConcatDataset):
    """Data sets one after the other, each with its own cameras, image sizes and name. The pipeline
    brings them to one size; K is that of each sample.

    Args:
        datasets: configs of the parts.
        lazy_init: of mmengine's `ConcatDataset`.
        packed: as that of the parts, which have folders of their own in it.
        **common: arguments of every part that does not say otherwise: `frame_ids`, `pipeline`, ...
    """

    def __init__(
        self,
        datasets: Sequence[Mapping[str, Any]],
        lazy_init: bool = False,
        packed: str | None = None,
        **common: Any,
    ) -> None:
        parts = []
        for number, part in enumerate(datasets):
            own = dict(packed=os.path.join(packed, str(number))) if packed else {}
            parts.append(DATASETS.build({**common, **own, **part}))
        super().__init__(parts, lazy_init, ignore_keys=['dataset_name'])

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """What PyTorch's loader collates: the samples, or a batch where frames are prepared."""
        prepared = [getattr(part, 'prepared', None) for part in self.datasets]
        if not all(prepared):
            return [self[index] for index in indices]
        places = map(self._get_ori_dataset_idx, indices)
        return make_batch([prepared[number].entry(index) for number, index in places], indices)

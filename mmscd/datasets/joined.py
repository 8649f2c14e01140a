"""Several data sets in one training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.dataset import ConcatDataset

from mmscd.registry import DATASETS


@DATASETS.register_module()
class JoinedDataset(ConcatDataset):
    """Data sets one after the other, each with its own cameras, image sizes and name. The pipeline
    brings them to one size; K is that of each sample.

    Args:
        datasets: configs of the parts.
        lazy_init: of mmengine's `ConcatDataset`.
        **common: arguments of every part that does not say otherwise: `frame_ids`, `pipeline`, ...
    """

    def __init__(
        self, datasets: Sequence[Mapping[str, Any]], lazy_init: bool = False, **common: Any
    ) -> None:
        parts = [DATASETS.build({**common, **part}) for part in datasets]
        super().__init__(parts, lazy_init, ignore_keys=['dataset_name'])

"""Models under test, and what is done with them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from mmscd.corruptions import CORRUPTIONS, SEVERITIES, VERSION
from mmscd.evaluation.metrics.depth_metric import find_protocol
from mmscd.evaluation.protocols import DepthProtocol
from mmscd.models import loading
from mmscd.models.precision import EXACT, use_precision
from mmscd.utils.config import load_config
from mmscd.utils.names import check_names

from .data import Pass
from .scores import CLEAN, PUBLISHED_BASELINE
from .store import PassStore, digest


@dataclass(frozen=True)
class RobustnessOptions:
    """What a run does, besides the models; ValueError where an option has no sense."""

    corruptions: Sequence[str] = CORRUPTIONS
    severities: Sequence[int] = SEVERITIES
    protocol: str = 'robodepth'  # or 'native', see `CorruptFrames`
    seed: int = 42  # of the corruptions
    baseline: str = PUBLISHED_BASELINE  # or the name of a model: whose DEE are CE's 100 %
    kitti_c: str | None = None  # folder of a KITTI-C to read instead of corrupting
    shifted: str | None = None  # folder of further conditions, laid out like a KITTI-C
    batch_size: int = 8
    workers: int = 2  # processes that corrupt while the network runs; 0: none
    memory_gb: float = 4.0  # what decoded images may take
    by_corruption: bool = False  # paired differences of every corruption, too
    precision: str = 'float32'  # or 'auto', see `models/precision.py`

    def __post_init__(self) -> None:
        for name, known in (('corruptions', CORRUPTIONS), ('severities', SEVERITIES)):
            given = getattr(self, name)
            check_names(f'entry of {name}', given, known)
            object.__setattr__(self, name, tuple(entry for entry in known if entry in given))
        object.__setattr__(self, 'corruptions', (*self.corruptions, *self.conditions))
        if not self.corruptions or not self.severities:
            raise ValueError('nothing to judge: name a corruption, or a folder of conditions')
        if self.batch_size < 1 or self.workers < 0 or self.memory_gb <= 0:
            raise ValueError('batch-size and memory-gb must be positive, workers not negative')
        if self.kitti_c and self.protocol == 'native':
            raise ValueError(
                f'{self.kitti_c} holds images of the network input: leave out the protocol native'
            )

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the folders of `shifted`; ValueError where there are none, or one is taken."""
        if self.shifted is None:
            return ()
        names = tuple(sorted(path.name for path in Path(self.shifted).glob('*/')))
        if not names or {*names} & {CLEAN, *CORRUPTIONS}:
            raise ValueError(
                f'{self.shifted} must hold folders CONDITION/LEVEL, named unlike the corruptions, '
                f'found {list(names)}'
            )
        return names

    @property
    def passes(self) -> list[Pass]:
        """Clean first, then corruption by corruption."""
        corrupted = [(name, level) for name in self.corruptions for level in self.severities]
        return [(CLEAN, 0), *corrupted]


@dataclass
class Contestant:
    """A model under test."""

    name: str  # in tables and folders
    cfg: Config
    model: nn.Module  # in eval mode, weights loaded
    metric: DepthProtocol
    data_key: str  # hash of its test data; models with the same one share corrupted images
    store: PassStore


def load_contestant(
    name: str,
    config: str,
    checkpoint: str,
    options: RobustnessOptions,
    folder: str | os.PathLike,
    cfg_options: dict[str, Any] | None = None,
) -> Contestant:
    """Build a model of a config (path, or package::path) and load its weights from a local file.

    FileNotFoundError or RuntimeError where one is missing or broken, ValueError where weights of
    the model are missing or the config has no DepthMetric.
    """
    cfg = load_config(config, cfg_options)
    model = loading.load_model(cfg, checkpoint)
    use_precision(model, options.precision, EXACT)
    metric = find_protocol(cfg)
    data_key = digest(cfg.test_dataloader.dataset.to_dict())
    weights = hashlib.blake2b(Path(checkpoint).read_bytes(), digest_size=8).hexdigest()
    settings = [options.protocol, options.seed, options.kitti_c, VERSION]
    settings += [options.precision] * (options.precision != 'float32')
    network = loading.model_config(cfg.model, 'all').to_dict()
    further = [*(metric.labels or ()), *filter(None, [options.shifted])]
    key = digest([data_key, weights, network, repr(metric), *settings, *further])
    return Contestant(name, cfg, model, metric, data_key, PassStore(folder, name, key))

"""Results of the corruption benchmark on disk: one file per model and pass."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmscd.evaluation.tables import summarize
from mmscd.robustness.scores import depth_estimation_error, mean_of
from mmscd.utils.files import write_json

from .data import Pass


def digest(content: Any) -> str:
    """A short hash of anything that JSON can hold."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode('utf-8'), digest_size=8).hexdigest()


class PassStore:
    """The passes of one model.

    Args:
        folder: for all models.
        model: name of the model, part of the path.
        key: hash of all that the numbers depend on; results with another key are refused.

    Raises:
        ValueError: the name cannot be a folder's.
    """

    def __init__(self, folder: str | os.PathLike, model: str, key: str) -> None:
        if not model or model in ('.', '..') or set(model) & set('/\\'):
            raise ValueError(f'a model is named without slashes, got {model!r}')
        self.folder, self.key = Path(folder) / 'passes' / model, key

    def path(self, pass_: Pass) -> Path:
        """File of a pass."""
        return self.folder / f'{pass_[0]}_{pass_[1]}.json'

    def read(self, pass_: Pass) -> dict[str, dict[str, Any]]:
        """Results by image id; empty where the pass was not begun.

        Raises:
            ValueError: the file is of another model or of other settings, or broken.
        """
        path = self.path(pass_)
        if not path.is_file():
            return {}
        try:
            content = json.loads(path.read_text(encoding='utf-8'))
            key, images = content['key'], content['images']
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f'{path} is no result of this tool ({error}); remove it') from error
        if key != self.key:
            raise ValueError(
                f'{path} comes from another checkpoint, data set, seed or protocol; choose another '
                '--out, or remove that folder'
            )
        return images

    def add(self, pass_: Pass, images: Mapping[str, Mapping[str, Any]]) -> None:
        """Add results to a pass; the file is whole at any moment."""
        write_json(self.path(pass_), dict(key=self.key, images={**self.read(pass_), **images}))

    def lacks(self, pass_: Pass, image_ids: Iterable[str]) -> bool:
        """True where the pass is not complete for these images."""
        return not set(image_ids) <= set(self.read(pass_))

    def summarize(self, pass_: Pass, image_ids: Iterable[str]) -> dict[str, float]:
        """Means over the images, with `dee`, and `psnr` (dB, against the clean input)."""
        images = self.read(pass_)
        records = [images[image_id] for image_id in image_ids]
        # JSON has null where the scale ratio was not a number
        summary = summarize([_restore(record['metrics']) for record in records])
        summary['dee'] = depth_estimation_error(summary['abs_rel'], summary['delta1'])
        summary['psnr'] = mean_of(r['psnr'] for r in records if r['psnr'] is not None)
        return summary


def _restore(metrics: Mapping[str, Any] | None) -> dict[str, float] | None:
    if metrics is None:
        return None
    return {key: float('nan') if value is None else value for key, value in metrics.items()}

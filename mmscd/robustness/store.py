"""Results of the corruption benchmark on disk: one file per model and pass."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from mmscd.evaluation.tables import METRIC_KINDS, summarize
from mmscd.utils.files import write_json
from mmscd.utils.schema import Number, read_json

from .data import Pass
from .scores import CLEAN, ImageErrors, depth_estimation_error, mean_of

_METRICS = METRIC_KINDS | dict(scale_ratio=(Number(0), None))
_VALUES = [(float, None)]
_ERRORS = dict(images=[str], abs_rel=_VALUES, dee={CLEAN: _VALUES, str: _VALUES})
_PASS = dict(key=str, images={str: dict(metrics=(_METRICS, None), psnr=(float, None))})


def digest(content: Any) -> str:
    """A short hash of anything that JSON can hold."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode('utf-8'), digest_size=8).hexdigest()


class PassStore:
    """The passes of one model, in a folder of its name (or a ValueError) below that of all models.

    `key` is a hash of all that the numbers depend on; results with another one are refused.
    """

    def __init__(self, folder: str | os.PathLike, model: str, key: str) -> None:
        if not model or model in ('.', '..') or set(model) & set('/\\'):
            raise ValueError(f'a model is named without slashes, got {model!r}')
        self.folder, self.key = Path(folder) / 'passes' / model, key

    def path(self, pass_: Pass) -> Path:
        """File of a pass."""
        return self.folder / f'{pass_[0]}_{pass_[1]}.json'

    def read(self, pass_: Pass) -> dict[str, dict[str, Any]]:
        """Results by image id; none where the pass was not begun; ValueError where it is broken."""
        path = self.path(pass_)
        if not path.is_file():
            return {}
        content = read_json(path, 'it is no result of this tool: remove it', _PASS)
        if content['key'] != self.key:
            raise ValueError(
                f'{path} comes from another checkpoint, data set, seed or protocol; choose '
                'another --out, or remove that folder'
            )
        return content['images']

    def add(self, pass_: Pass, images: Mapping[str, Mapping[str, Any]]) -> None:
        """Add results to a pass; the file is whole at any moment."""
        write_json(self.path(pass_), dict(key=self.key, images={**self.read(pass_), **images}))

    def lacks(self, pass_: Pass, image_ids: Iterable[str]) -> bool:
        """True where the pass is not complete for these images."""
        return not set(image_ids) <= set(self.read(pass_))

    def records(self, pass_: Pass, image_ids: Iterable[str]) -> list[dict[str, Any]]:
        """Results of these images, in order; ValueError where one is missing."""
        images = self.read(pass_)
        try:
            return [images[image_id] for image_id in image_ids]
        except KeyError as error:
            mend = 'run the same command to its end'
            raise ValueError(f'{self.path(pass_)} lacks the image {error}; {mend}') from None

    def summarize(self, pass_: Pass, image_ids: Iterable[str]) -> dict[str, float]:
        """Means over the images, with `dee`, and `psnr` (dB, against the clean input)."""
        names = list(image_ids)
        records = self.records(pass_, names)
        # JSON has null where the scale ratio was not a number
        metrics = [
            record['metrics'] and {k: nan if v is None else v for k, v in record['metrics'].items()}
            for record in records
        ]
        summary = summarize(metrics, names)
        summary['dee'] = depth_estimation_error(summary['abs_rel'], summary['delta1'])
        summary['psnr'] = mean_of(r['psnr'] for r in records if r['psnr'] is not None)
        return summary

    def image_errors(self, passes: Sequence[Pass], image_ids: Sequence[str]) -> ImageErrors:
        """Errors of the images that have ground truth, NaN where a prediction is not finite."""
        by_name: dict[str, list[np.ndarray]] = {}
        for pass_ in passes:
            judged = [r['metrics'] for r in self.records(pass_, image_ids)]
            values = [(m['abs_rel'], m['delta1']) for m in judged if m]
            by_name.setdefault(pass_[0], []).append(np.array(values, np.float64))
        known = zip(image_ids, self.records(passes[0], image_ids), strict=True)
        means = {name: np.mean(parts, 0).T for name, parts in by_name.items()}
        return ImageErrors(
            [image for image, record in known if record['metrics']],
            means[CLEAN][0],
            {name: (abs_rel - delta1 + 1) / 2 for name, (abs_rel, delta1) in means.items()},
        )


def write_image_errors(path: Path, models: Mapping[str, ImageErrors]) -> None:
    """Write errors by name of the model."""
    plain = {
        name: dict(
            images=errors.images,
            abs_rel=errors.abs_rel.tolist(),
            dee={key: values.tolist() for key, values in errors.dee.items()},
        )
        for name, errors in models.items()
    }
    write_json(path, plain)


def read_image_errors(path: Path, model: str) -> ImageErrors:
    """What `write_image_errors` wrote of a model; FileNotFoundError or ValueError."""
    mend = f'run test_robustness.py --out {path.parent} again, which writes it'
    content = read_json(path, mend, {model: _ERRORS})[model]
    if {len(content['images'])} != {*map(len, (content['abs_rel'], *content['dee'].values()))}:
        raise ValueError(f'{path}: {model} has lists of different lengths; {mend}')
    return ImageErrors(
        content['images'],
        np.array(content['abs_rel'], np.float64),
        {key: np.array(values, np.float64) for key, values in content['dee'].items()},
    )

"""Sheets of what a config trains on: network input, warped sources, the perturbed texture.

The samples are those that the training itself would see: in the order of the config's sampler, with
their own random draws; the perturbation is the one of the first loss that has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import Tensor

import mmscd.datasets
import mmscd.models  # noqa: F401, registers the components
from mmscd.datasets.samplers import KeyedInfiniteSampler, SampleIndex
from mmscd.registry import DATASETS, MODELS
from mmscd.utils.keyed_random import make_key

from .rendering import add_head, panel_size, resize_image, save_image, stack_panels
from .warp import Network, Panel, find_pairs, to_heat, to_picture, warp_panels

COLUMNS = 4


def browse(
    cfg: Config,
    out: Path,
    split: str = 'train',
    num: int = 8,
    panel_width: int = 400,
    checkpoint: str | None = None,
    frame_ids: Sequence[int | str] | None = None,
    focal_factor: float = 1.0,
) -> Iterator[str]:
    """Draw at most `num` samples of `split` (train or val), one PNG each, into the folder `out`.

    Yields a line for each picture, and for what cannot be shown. `checkpoint`: its depth and motion
    warp the sources. `frame_ids`: instead of the config's. `focal_factor`: warp with focal lengths
    that much longer than they are. Raises OSError or ValueError for broken data or checkpoint.
    """
    if frame_ids is not None:
        cfg[f'{split}_dataloader'].dataset.frame_ids = list(frame_ids)
    with DefaultScope.overwrite_default_scope('mmscd'):
        inputs, samples = load_batch(cfg, split, num)
        config = find_perturbation(cfg.model.get('losses', {}))
        perturbation = None if config is None else MODELS.build(config)
        ids = samples[0].frame_ids
        network = Network(cfg, checkpoint, ids) if checkpoint is not None else None
        flip_prob = (cfg.model.get('data_preprocessor') or {}).get('flip_prob', 0.5)
        flip_prob = flip_prob if split == 'train' else 0.0
        pairs, notes = find_pairs(inputs, samples, network, flip_prob)
    yield from notes
    clean = inputs['frames'][:, 0]
    perturbed = None if perturbation is None else perturbation(clean, inputs['draw_key'])
    for index, sample in enumerate(samples):
        frames, K = inputs['frames'][index], inputs['K'][index]
        panels = input_panels(inputs, index, ids)
        for pair in pairs[index]:
            panels += warp_panels(frames, pair, K, ids[pair.position], focal_factor)
        if perturbed is not None:
            panels += texture_panels(perturbed, clean, index)
        path = out / f'{split}_{index:03d}_{sample.sample_idx}.png'
        save_image(make_sheet(panels, panel_width), path)
        yield f'{path}: {sample.img_path}'
    if perturbed is None:
        yield 'the config has no TextureDisambiguationLoss: there is no perturbation to show'


def load_batch(cfg: Config, split: str, count: int) -> tuple[dict[str, Tensor], list]:
    """The first samples, at most `count`: as trained with ('train': flips, jitter) or as they are.

    Returns what the model gets, with `picture`: the network input to look at; and the data samples.
    """
    loader = cfg[f'{split}_dataloader']
    dataset = DATASETS.build(loader.dataset)
    count = min(count, len(dataset))
    seed = cfg.get('randomness', {}).get('seed') or 0
    if split == 'train':
        shuffle = loader.get('sampler', {}).get('shuffle', True)
        indices = list(islice(KeyedInfiniteSampler(dataset, shuffle, seed), count))
    else:
        indices = [SampleIndex(i, make_key(seed, i)) for i in range(count)]
    samples = [dataset[i] for i in indices]
    inputs = {
        key: torch.stack([sample['inputs'][key] for sample in samples])
        for key in samples[0]['inputs']
    }
    preprocessor = MODELS.build(
        cfg.model.get('data_preprocessor') or dict(type='DepthDataPreprocessor')
    )
    data_samples = [sample['data_samples'] for sample in samples]
    batch = dict(inputs=inputs, data_samples=data_samples)
    inputs = preprocessor(batch, training=split == 'train')['inputs']
    inputs['picture'] = preprocessor.normalise.to_picture(inputs['network_input'])
    return inputs, data_samples


def find_perturbation(losses: Mapping[str, Mapping]) -> dict | None:
    """Config of the perturbation of the first of `model.losses` that has one."""
    for loss in losses.values():
        if loss.get('type', '').rsplit('.', 1)[-1] == 'TextureDisambiguationLoss':
            return dict(loss.get('perturbation') or dict(type='RetinexTexturePerturbation'))
    return None


def input_panels(
    inputs: Mapping[str, Tensor], index: int, frame_ids: Sequence[int | str]
) -> list[Panel | None]:
    """Every frame as the network sees it."""
    return [
        (f'network input: {"source" if i else "target"} {i}', to_picture(frame))
        for i, frame in zip(frame_ids, inputs['picture'][index], strict=True)
    ]


def texture_panels(perturbed: Any, clean: Tensor, index: int) -> list[Panel | None]:
    """The split of one sample, and below each part what the perturbation made of it."""
    light, new_light = perturbed.illumination[index], perturbed.new_illumination[index]
    gain = (new_light / light).log2()
    share = (perturbed.mask[index] > 0).float().mean()
    return [
        None,
        ('target I', to_picture(clean[index])),
        ('illumination L', to_picture(light.expand(3, -1, -1))),
        ('reflectance R x 0.5', to_picture(perturbed.reflectance[index] / 2)),
        (f'mask: {share:.0%} of pixels', to_heat(perturbed.mask[index, 0])),
        None,
        ('perturbed I+', to_picture(perturbed.image[index])),
        ('L+', to_picture(new_light.expand(3, -1, -1))),
        ('R+ x 0.5', to_picture(perturbed.new_reflectance[index] / 2)),
        (f'L+ / L: {2 ** gain.amin():.2f} to {2 ** gain.amax():.2f}', to_heat(gain[0] / 4 + 0.5)),
    ]


def make_sheet(panels: Sequence[Panel | None], panel_width: int) -> np.ndarray:
    """Labelled panels, each `panel_width` wide, uint8 RGB; a None starts a new row."""
    rows: list[np.ndarray] = []
    row: list[np.ndarray] = []
    for panel in [*panels, None]:
        if row and (panel is None or len(row) == COLUMNS):
            row += [np.zeros_like(row[0])] * (COLUMNS - len(row))
            rows.append(stack_panels(row, 'horizontal'))
            row = []
        if panel is not None:
            title, picture = panel
            size = panel_size(picture.shape[:2], panel_width)
            row.append(add_head(resize_image(picture, size), title))
    return stack_panels(rows, 'vertical')

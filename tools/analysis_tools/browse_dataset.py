"""Draw what a config trains on: network input, warped sources, Retinex split, perturbed texture.

Examples::

    python tools/analysis_tools/browse_dataset.py configs/scd/scd_r18_kitti.py --num 8
    python tools/analysis_tools/browse_dataset.py CONFIG --split val --frame-ids 0 s
    python tools/analysis_tools/browse_dataset.py CONFIG --checkpoint work_dirs/NAME/iter_N.pth

One PNG per sample. It shows what the training itself would see: the samples come in the order of
the config's sampler, with their own random draws, and the perturbation is the one of the first loss
that has one. A config without (Monodepth2) shows the network input only.

Sources are shown as the target's camera would see them, where depth and pose are known: the stereo
partner by ground truth (second example), neighbours in time by a network (third one). Warped and
target lie over each other where intrinsics, pose and depth are right: edges go on across the cells
of the checkerboard, and the difference is small. A wrong focal length shows at once with the stereo
partner; --focal-factor 1.2 draws what it would look like. A network's own motion hides it where the
car drives straight on: there every focal length explains the pictures.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from browse_warp import Network, find_pairs, warp_panels
from mmengine.config import Config, DictAction
from mmengine.registry import DefaultScope
from torch import Tensor

import mmscd.datasets  # noqa: F401, registers the datasets
import mmscd.models  # noqa: F401, registers the components
from mmscd.datasets.samplers import KeyedInfiniteSampler, SampleIndex
from mmscd.registry import DATASETS, MODELS
from mmscd.utils.config import load_config
from mmscd.utils.keyed_random import make_key
from mmscd.visualization.colormap import apply_color_table
from mmscd.visualization.rendering import (
    add_head,
    panel_size,
    resize_image,
    save_image,
    stack_panels,
)

COLUMNS = 4


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description='Draw what a config trains on.')
    parser.add_argument('config', help='path, or package::path')
    parser.add_argument('--out', default='work_dirs/browse_dataset', help='folder of the pictures')
    parser.add_argument('--num', type=int, default=8, help='so many samples')
    parser.add_argument('--split', choices=['train', 'val'], default='train')
    parser.add_argument('--panel-width', type=int, default=400, help='pixels, at least 160')
    parser.add_argument(
        '--checkpoint', help="of a training: warps by the network's depth and motion"
    )
    parser.add_argument(
        '--frame-ids', nargs='+', help='frames to load instead, e.g. 0 s (the stereo partner)'
    )
    parser.add_argument(
        '--focal-factor', type=float, default=1.0, help='warp with a wrong focal length, to compare'
    )
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value overrides')
    args = parser.parse_args(argv)
    if args.frame_ids:
        args.frame_ids = [int(i) if i.lstrip('-').isdigit() else i for i in args.frame_ids]
    if not args.focal_factor > 0:
        parser.error(f'--focal-factor must be positive, got {args.focal_factor}')
    if args.num < 1:
        parser.error(f'--num must be at least 1, got {args.num}')
    if args.panel_width < 160:
        parser.error(f'--panel-width must be at least 160, got {args.panel_width}')
    return args


def load_batch(cfg: Config, split: str, count: int) -> tuple[dict[str, Tensor], list]:
    """The first samples of a split, through the data preprocessor.

    Args:
        cfg: of the training.
        split: `train` (order of the sampler, with flips and jitter) or `val` (in order, as is).
        count: at most so many; fewer come where the set is smaller.

    Returns:
        what the model gets, with `picture`: the network input to look at; and the data samples.
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
    data_samples = [sample['data_samples'] for sample in samples]
    preprocessor = cfg.model.get('data_preprocessor') or dict(type='DepthDataPreprocessor')
    preprocessor = MODELS.build(preprocessor)
    batch = dict(inputs=inputs, data_samples=data_samples)
    inputs = preprocessor(batch, training=split == 'train')['inputs']
    inputs['picture'] = preprocessor.normalise.to_picture(inputs['network_input'])
    return inputs, data_samples


def find_perturbation(losses: Mapping[str, Mapping]) -> dict | None:
    """Config of the perturbation of the first loss that has one.

    Args:
        losses: `model.losses`.
    """
    for loss in losses.values():
        if loss.get('type', '').rsplit('.', 1)[-1] == 'TextureDisambiguationLoss':
            return dict(loss.get('perturbation') or dict(type='RetinexTexturePerturbation'))
    return None


def to_picture(image: Tensor) -> np.ndarray:
    """(3, H, W) in [0, 1], clipped, as uint8 RGB (H, W, 3)."""
    return (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()


def to_heat(values: Tensor) -> np.ndarray:
    """(1, H, W) in [0, 1] in colours, uint8 RGB (H, W, 3)."""
    return apply_color_table(values[0].double().numpy(), 'inferno')


def input_panels(inputs: dict[str, Tensor], index: int, frame_ids: Sequence) -> list[tuple]:
    """(title, picture) of every frame as the network sees it."""
    frames = inputs['picture'][index]
    names = [f'source {i}' if i else 'target 0' for i in frame_ids]
    return [
        (f'network input: {name}', to_picture(frame))
        for name, frame in zip(names, frames, strict=True)
    ]


def texture_panels(perturbed: Any, clean: Tensor, index: int) -> list[tuple]:
    """(title, picture) of the split of one sample, and below each what the perturbation made."""
    light, new_light = perturbed.illumination[index], perturbed.new_illumination[index]
    gain = (new_light / light).log2()
    share = (perturbed.mask[index] > 0).float().mean()
    before = [
        ('target I', to_picture(clean[index])),
        ('illumination L', to_picture(light.expand(3, -1, -1))),
        ('reflectance R x 0.5', to_picture(perturbed.reflectance[index] / 2)),
        (f'mask: {share:.0%} of pixels', to_heat(perturbed.mask[index])),
    ]
    after = [
        ('perturbed I+', to_picture(perturbed.image[index])),
        ('L+', to_picture(new_light.expand(3, -1, -1))),
        ('R+ x 0.5', to_picture(perturbed.new_reflectance[index] / 2)),
        (f'L+ / L: {2 ** gain.amin():.2f} to {2 ** gain.amax():.2f}', to_heat(gain / 4 + 0.5)),
    ]
    return [None, *before, None, *after]


def make_sheet(panels: Sequence[tuple[str, np.ndarray]], panel_width: int) -> np.ndarray:
    """Labelled panels in rows, uint8 RGB.

    Args:
        panels: (title, uint8 RGB picture); a None starts a new row.
        panel_width: pixels.
    """
    rows, row = [], []
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


def draw_warps(
    args: argparse.Namespace, cfg: Config, inputs: dict[str, Tensor], samples: list
) -> list[list]:
    """The panels of the warped sources, per sample; says what cannot be warped."""
    frame_ids = samples[0].frame_ids
    network = Network(cfg, args.checkpoint, frame_ids) if args.checkpoint else None
    preprocessor = cfg.model.get('data_preprocessor') or {}
    flip_prob = preprocessor.get('flip_prob', 0.5) if args.split == 'train' else 0.0
    pairs, notes = find_pairs(inputs, samples, network, flip_prob)
    for note in notes:
        print(note)
    return [
        [
            panel
            for pair in row
            for panel in warp_panels(
                inputs['frames'][index],
                pair,
                inputs['K'][index],
                frame_ids[pair.position],
                args.focal_factor,
            )
        ]
        for index, row in enumerate(pairs)
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Draw."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    if args.frame_ids:
        cfg[f'{args.split}_dataloader'].dataset.frame_ids = args.frame_ids
    torch.set_num_threads(1)
    with DefaultScope.overwrite_default_scope('mmscd'):
        inputs, data_samples = load_batch(cfg, args.split, args.num)
        perturbation = find_perturbation(cfg.model.get('losses', {}))
        perturbation = None if perturbation is None else MODELS.build(perturbation)
        warps = draw_warps(args, cfg, inputs, data_samples)
    clean, perturbed = inputs['frames'][:, 0], None
    if perturbation is not None:
        perturbed = perturbation(clean, inputs['draw_key'])
    for index, data_sample in enumerate(data_samples):
        panels = input_panels(inputs, index, data_sample.frame_ids) + warps[index]
        if perturbed is not None:
            panels += texture_panels(perturbed, clean, index)
        path = Path(args.out) / f'{args.split}_{index:03d}_{data_sample.sample_idx}.png'
        save_image(make_sheet(panels, args.panel_width), path)
        print(f'{path}: {data_sample.img_path}')
    if perturbed is None:
        print('the config has no TextureDisambiguationLoss: there is no perturbation to show')


if __name__ == '__main__':
    main()

"""Write the training frames of a config, resized, as a folder that `FolderDepthDataset` reads.

Example::

    python tools/dataset_converters/pack_frames.py data/packed \
        --config configs/monodepth2/monodepth2_r18_kitti-mini-640x192.py --size 640x192

Every folder of frames becomes one of JPEGs; `intrinsics.yaml` beside them is the camera.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import torch
from mmengine.registry import init_default_scope

from mmscd.registry import DATASETS
from mmscd.utils.command_line import make_parser, output_folder, parse_size, run_tool
from mmscd.utils.config import load_config
from mmscd.utils.files import atomic_write
from mmscd.utils.progress import track


def run(args: argparse.Namespace) -> None:
    """Resize and write. ValueError: the frames are of several cameras."""
    cfg = load_config(args.config).train_dataloader.dataset
    resize = dict(type='ResizeFrames', size=args.size)
    cfg.pipeline = [dict(type='LoadFrames'), resize, dict(type='PackDepthInputs')]
    init_default_scope('mmscd')
    dataset = DATASETS.build(cfg)
    K = dataset[0]['inputs']['K']
    folders: dict[Path, str] = {}
    for i in track(range(len(dataset)), len(dataset), 'samples'):
        sample, info = dataset[i]['inputs'], dataset.get_data_info(i)
        if not torch.equal(sample['K'], K):
            raise ValueError(f'{info["img_path"]} is of another camera than the first frame')
        for frame, path in zip(sample['frames'], map(Path, info['frame_paths']), strict=True):
            folder = folders.setdefault(path.parent, f'{len(folders):03d}')
            file = args.folder / folder / f'{path.stem}.jpg'
            if not file.is_file():
                image = cv2.cvtColor(frame.permute(1, 2, 0).numpy(), cv2.COLOR_RGB2BGR)
                quality = [cv2.IMWRITE_JPEG_QUALITY, 93]
                atomic_write(file, cv2.imencode('.jpg', image, quality)[1].tobytes(), sync=False)
    names = dict(fx=K[0, 0], fy=K[1, 1], cx=K[0, 2], cy=K[1, 2])
    values = {name: float(value) for name, value in names.items()}
    values |= dict(zip(('width', 'height'), args.size, strict=True))
    text = ''.join(f'{name}: {value}\n' for name, value in values.items())
    atomic_write(args.folder / 'intrinsics.yaml', text.encode())


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = make_parser(__doc__)
    parser.add_argument('folder', type=output_folder)
    parser.add_argument('--config', required=True, help='path, or package::path')
    parser.add_argument('--size', type=parse_size, default=(640, 192), help='default 640x192')
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

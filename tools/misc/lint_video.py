"""Check frames of an own camera before training: static, dark, rolling, wrong focal length.

Example: python tools/misc/lint_video.py data/my_streets/frames \
    --intrinsics data/my_streets/intrinsics.yaml

ROOT is what `FolderDepthDataset` takes: a folder of frames, of folders of frames, or a video file.
A sample of the frames is looked at; nothing is written. Exits with 1 where something serious is
found.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np

from mmscd.datasets import FolderDepthDataset
from mmscd.datasets.formats.images import image_size, read_bytes
from mmscd.video.lint import lint_video


def main(argv: list[str] | None = None) -> int:
    """Look and tell; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('root', help='folder of frames or of folders of frames, or a video file')
    parser.add_argument('--intrinsics', default='intrinsics.yaml', help='yaml; also below ROOT')
    parser.add_argument('--stride', type=int, default=1, help='every n-th frame')
    parser.add_argument('--pairs', type=int, default=80, help='so many pairs are looked at')
    args = parser.parse_args(argv)
    try:
        dataset = FolderDepthDataset(
            args.root, args.intrinsics, frame_ids=(0,), stride=args.stride, serialize_data=False
        )
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
        groups = itertools.groupby(infos, key=lambda info: info['sequence'])
        sequences = [[info['img_path'] for info in group] for _, group in groups]
        first = infos[0]['img_path']
        size = image_size(read_bytes(first), first)
        findings = lint_video(sequences, np.asarray(infos[0]['K_ori']), size, args.pairs)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from None
    print(f'{len(infos)} frames of {size[0]}x{size[1]} in {len(sequences)} sequence(s)')
    for finding in findings:
        print(f'{"WARNING" if finding.serious else "note"} ({finding.code}): {finding.message}')
    serious = any(finding.serious for finding in findings)
    if not serious:
        print('nothing serious found')
    return int(serious)


if __name__ == '__main__':
    raise SystemExit(main())

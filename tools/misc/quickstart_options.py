"""Print the config options that fit the mini training to a folder in the KITTI-raw layout.

One drive with LiDAR scans is held out for the test, all others are trained on.
"""

import os
import sys
from pathlib import Path


def main() -> None:
    """Choose the drives and print `key=value` lines for --cfg-options."""
    root = Path(sys.argv[1])
    drives = sorted(p for p in root.glob('*/*_sync') if (p / 'image_02').is_dir())
    with_lidar = [p for p in drives if any((p / 'velodyne_points').glob('data/[!.]*.bin'))]
    if len(drives) < 2 or not with_lidar:
        sys.exit(
            f'{root}: found {len(drives)} drives (DATE/DRIVE_sync/image_02), {len(with_lidar)} '
            'with velodyne_points/data/*.bin; at least two drives are needed, one with LiDAR'
        )
    test = min(with_lidar, key=lambda p: (len(list((p / 'velodyne_points/data').glob('[!.]*'))), p))
    train = [p for p in drives if p != test]
    if set('\n,\'"') & set(str(root)):
        sys.exit(f'{str(root)!r}: commas, quotes and line breaks cannot stand in an option')
    print(f'train_dataloader.dataset.data_root={root}')
    print(f'train_dataloader.dataset.drives=[{",".join(p.name for p in train)}]')
    for loader in ('val_dataloader', 'test_dataloader'):
        print(f'{loader}.dataset.data_root={root}')
        print(f'{loader}.dataset.ann_file=None')
        print(f'{loader}.dataset.drives=[{test.name}]')
        print(f"{loader}.dataset.sides=['l']")
    if not os.environ.get('RESNET18_WEIGHTS'):
        print('model.backbone.init_cfg=None')
        print('model.pose_net.encoder.init_cfg=None')


if __name__ == '__main__':
    main()

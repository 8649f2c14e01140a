# streets.py with two more drives, which belong to the Eigen test split: for models to use, not for
# a claim on the official 697 images.
_base_ = ['./streets.py']
streets_root = '{{$STREETS_ROOT:data/streets}}'

train_dataloader = dict(
    dataset=dict(
        datasets=_base_.train_dataloader.dataset.datasets
        + [
            dict(
                type='FolderDepthDataset',
                data_root=f'{streets_root}/train/{name}/frames',
                intrinsics=f'{streets_root}/train/{name}/intrinsics.yaml',
                dataset_name=name,
            )
            for name in ('kitti_odometry_00_l', 'kitti_odometry_07_l')
        ]
    )
)

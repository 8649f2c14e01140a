# KITTI raw, monocular triplets at 640x192: Zhou split for training, the 697 images of Eigen with
# LiDAR ground truth for validation and test.
# The other kitti_raw_* files inherit from this one and say again what is computed from the two
# values that they change: `frame_ids` (training only) or `img_size` (both pipelines).
_base_ = ['../loaders.py']
dataset_type = 'KITTIRawDataset'
kitti_root = '{{$KITTI_ROOT:data/kitti}}'
kitti_splits = '{{$KITTI_SPLITS:data/splits/kitti}}'

train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=kitti_root,
        ann_file=kitti_splits + '/eigen_zhou/train_files.txt',
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=kitti_root,
        ann_file=kitti_splits + '/eigen/test_files.txt',
        frame_ids=(0,),
        gt='velodyne',
        # the published tables of these 697 images measure depth along the LiDAR's x axis
        depth_axis='velodyne_x',
        gt_cache_dir='data/cache/kitti_raw_gt',
    )
)
test_dataloader = val_dataloader

val_evaluator = dict(type='DepthMetric', protocol='kitti_eigen')
test_evaluator = val_evaluator

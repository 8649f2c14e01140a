# A small part of KITTI raw for machines without a GPU: two drives for training, the 25 Eigen test
# images of a third one for validation and test, at 320x96. Numbers are not those of full KITTI.
_base_ = ['../loaders.py']
dataset_type = 'KITTIRawDataset'
kitti_root = '{{$KITTI_ROOT:data/kitti}}'
kitti_splits = '{{$KITTI_SPLITS:data/splits/kitti}}'
img_size = (320, 96)  # width, height

train_pipeline = [
    # JPEGs are decoded at half size: at 320x96 more than twice as fast
    dict(type='LoadFrames', reduce=img_size),
    # two drives: without it the network learns by heart at which height which depth is usual
    dict(type='RandomZoom', scale=(0.5, 1.0), prob=0.6),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]
test_pipeline = [dict(type='LoadFrames'), *train_pipeline[2:]]

train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    dataset=dict(
        type=dataset_type,
        data_root=kitti_root,
        # all frames of these drives that have both neighbours
        ann_file=None,
        drives=['2011_09_26_drive_0095_sync', '2011_09_26_drive_9001_sync'],
        sides=('l',),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=2,
    dataset=dict(
        type=dataset_type,
        data_root=kitti_root,
        ann_file=kitti_splits + '/eigen/test_files.txt',
        drives=['2011_09_26_drive_0013_sync'],
        frame_ids=(0,),
        gt='velodyne',
        depth_axis='camera_z',
        gt_cache_dir='data/cache/kitti_raw_gt',
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

# beside two predictors that know nothing of the picture
val_evaluator = dict(
    type='DepthMetric',
    protocol='kitti_eigen',
    references=[
        dict(type='constant'),
        dict(type='flat_road', camera_height=1.65, far_caps=(20, 30, 40, 80)),
    ],
)
test_evaluator = val_evaluator

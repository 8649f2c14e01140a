# nuScenes, front camera: training on dry days, validation on all official val scenes by condition.
#
# Get the full dataset v1.0 (trainval: metadata and the parts of samples and sweeps) at
# https://www.nuscenes.org/nuscenes#download, unpacked into one folder:
#
#     NUSCENES_ROOT/v1.0-trainval/*.json
#     NUSCENES_ROOT/{samples,sweeps}/CAM_FRONT/*.jpg
#     NUSCENES_ROOT/samples/LIDAR_TOP/*.pcd.bin
#
# Protocol `nuscenes` (md4all, ICCV 2023): val scenes, LiDAR between 0.1 and 80 m, no crop,
# per-image median scaling, 576x320; conditions from the descriptions of the scenes. md4all trains
# without nearly static frames (below 0.5 m/s), which this config does not filter.
_base_ = ['../loaders.py']
dataset_type = 'NuScenesDataset'
nuscenes_root = '{{$NUSCENES_ROOT:data/nuscenes}}'
img_size = (576, 320)  # width, height

train_pipeline = [
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]
test_pipeline = [*train_pipeline[:-1], dict(type='PackDepthInputs', meta_keys=('condition',))]

train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=nuscenes_root,
        split='train',
        conditions=['day'],
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=nuscenes_root,
        split='val',
        frame_ids=(0,),
        gt_cache_dir='data/cache/nuscenes_gt',
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(type='DepthMetric', protocol='nuscenes')
test_evaluator = val_evaluator
official_sizes = dict(val_dataloader=6019)

# DDAD, front camera: training and the 3950 images of val.
#
# Get DDAD.tar (257 GB) at https://github.com/TRI-ML/DDAD and unpack it:
#
#     DDAD_ROOT/ddad.json
#     DDAD_ROOT/<scene>/{scene_<hash>.json, calibration, rgb/CAMERA_01, point_cloud/LIDAR}
#
# Protocol `ddad` (PackNet-SfM, CVPR 2020): LiDAR up to 200 m, no crop, per-image median scaling,
# 640x384.
_base_ = ['../loaders.py']
dataset_type = 'DDADDataset'
ddad_root = '{{$DDAD_ROOT:data/ddad}}'
img_size = (640, 384)  # width, height

train_pipeline = [
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]
test_pipeline = train_pipeline

train_dataloader = dict(
    dataset=dict(type=dataset_type, data_root=ddad_root, split='train', pipeline=train_pipeline)
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=ddad_root,
        split='val',
        frame_ids=(0,),
        gt_cache_dir='data/cache/ddad_gt',
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(type='DepthMetric', protocol='ddad')
test_evaluator = val_evaluator
official_sizes = dict(train_dataloader=12350, val_dataloader=3950)

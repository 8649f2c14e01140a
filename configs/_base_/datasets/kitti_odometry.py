# KITTI odometry: training on sequences 00 to 08, poses of 09 and 10 for testing.
#
# Get data_odometry_color.zip (65 GB), data_odometry_calib.zip and data_odometry_poses.zip at
# https://www.cvlibs.net/datasets/kitti/eval_odometry.php and unpack them into one folder:
#
#     KITTI_ODOMETRY_ROOT/sequences/09/{image_2/000000.png, image_3/000000.png, calib.txt}
#     KITTI_ODOMETRY_ROOT/poses/09.txt
#
# Protocol: absolute trajectory error over snippets of 5 frames, scale fitted per snippet, as
# SfMLearner (CVPR 2017) and those after it report it on 09 and 10; see
# `tools/analysis_tools/eval_pose.py`. Test samples carry `sequence`, `frame` and `gt_pose`, as
# `PoseMetric` needs them. There is no ground-truth depth, so no validation.
_base_ = ['../loaders.py']
del _base_['val_dataloader']
dataset_type = 'KITTIOdometryDataset'
odometry_root = '{{$KITTI_ODOMETRY_ROOT:data/kitti_odometry}}'

test_pipeline = [
    *_base_.test_pipeline[:-1],
    dict(type='PackDepthInputs', meta_keys=('sequence', 'frame', 'gt_pose')),
]

train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=odometry_root,
        sequences=['00', '01', '02', '03', '04', '05', '06', '07', '08'],
    )
)
test_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=odometry_root,
        sequences=['09', '10'],
        frame_ids=(0, 1),
        with_pose=True,
        pipeline=test_pipeline,
    )
)
official_sizes = dict(train_dataloader=20391, test_dataloader=2790)

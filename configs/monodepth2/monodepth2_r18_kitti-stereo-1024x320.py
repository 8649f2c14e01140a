# Stereo pairs: the source is the other camera, whose pose is known, so depth is in metres.
_base_ = [
    '../_base_/models/monodepth2_r18.py',
    '../_base_/datasets/kitti_raw_stereo_1024x320.py',
    '../_base_/schedules/schedule_20e.py',
    '../_base_/default_runtime.py',
]
model = dict(frame_ids=(0, 's'), pose_net=None)
val_evaluator = dict(protocol='kitti_eigen_stereo')
test_evaluator = val_evaluator
visualizer = dict(protocol='kitti_eigen_stereo')

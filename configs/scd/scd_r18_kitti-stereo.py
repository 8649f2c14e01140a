# The full method on stereo pairs: depth is in metres.
_base_ = [
    '../_base_/models/scd_r18.py',
    '../_base_/datasets/kitti_raw_stereo_640x192.py',
    '../_base_/schedules/scd_20e.py',
    '../teachers/segformer_b0_cityscapes.py',
]
model = dict(
    frame_ids=(0, 's'),
    pose_net=None,
    distiller=dict(teacher={{_base_.teacher}}),
)
val_evaluator = dict(protocol='kitti_eigen_stereo')
test_evaluator = val_evaluator
visualizer = dict(protocol='kitti_eigen_stereo')

# The full method with both neighbours in time and the other camera: depth is in metres.
_base_ = [
    '../_base_/models/scd_r18.py',
    '../_base_/datasets/kitti_raw_mono_stereo_640x192.py',
    '../_base_/schedules/scd_20e.py',
    '../teachers/segformer_b0_cityscapes.py',
]
model = dict(
    frame_ids=(0, -1, 1, 's'),
    distiller=dict(teacher={{_base_.teacher}}),
)
val_evaluator = dict(protocol='kitti_eigen_stereo')
test_evaluator = val_evaluator
visualizer = dict(protocol='kitti_eigen_stereo')

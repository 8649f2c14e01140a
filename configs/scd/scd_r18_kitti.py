# The full method: ResNet-18, monocular, 640x192, batch 12, 20 epochs. Another teacher: another file
# of ../teachers in the list, or `tools/train.py CONFIG --teacher ../teachers/X.py`.
_base_ = [
    '../_base_/models/scd_r18.py',
    '../_base_/datasets/kitti_raw_mono_640x192.py',
    '../_base_/schedules/scd_20e.py',
    '../teachers/segformer_b0_cityscapes.py',
]
model = dict(distiller=dict(teacher={{_base_.teacher}}))

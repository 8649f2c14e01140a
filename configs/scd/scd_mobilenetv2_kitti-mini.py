# The full method on a CPU with another student, mmseg's MobileNetV2 from random weights.
_base_ = ['./scd_r18_kitti-mini.py']
model = dict(
    backbone=dict(
        _delete_=True, type='mmseg.MobileNetV2', out_indices=(0, 1, 2, 4, 6), init_cfg=None
    ),
    disp_head=dict(in_channels=(16, 24, 32, 96, 320)),
    distiller=dict(student_taps=[dict(module='backbone', index=3, channels=96, stride=16)]),
)

# Another student on a CPU, mmseg's MobileNetV2 from random weights: what
# ../scd/scd_mobilenetv2_kitti-mini.py is compared with.
_base_ = ['./monodepth2_r18_kitti-mini.py']
model = dict(
    backbone=dict(
        _delete_=True, type='mmseg.MobileNetV2', out_indices=(0, 1, 2, 4, 6), init_cfg=None
    ),
    disp_head=dict(in_channels=(16, 24, 32, 96, 320)),
)

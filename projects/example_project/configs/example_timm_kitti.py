# The same with a backbone of timm (`pip install timm`).
_base_ = ['./example_kitti.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        name='mobilenetv3_large_100',
        channels=(16, 24, 40, 112, 960),
        pretrained=True,
    ),
    disp_head=dict(in_channels=(16, 24, 40, 112, 960)),
    distiller=dict(student_taps=[dict(module='backbone', index=3, channels=112, stride=16)]),
)

# The full method with a ResNet-50 as the student; the pose net stays a ResNet-18.
_base_ = ['./scd_r18_kitti.py']
resnet50_weights = '{{$RESNET50_WEIGHTS:https://download.pytorch.org/models/resnet50-0676ba61.pth}}'
model = dict(
    backbone=dict(depth=50, init_cfg=dict(checkpoint=resnet50_weights)),
    disp_head=dict(in_channels=(64, 256, 512, 1024, 2048)),
    distiller=dict(student_taps=[dict(module='backbone', index=3, channels=1024, stride=16)]),
)

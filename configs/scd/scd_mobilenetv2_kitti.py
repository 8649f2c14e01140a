# The full method with a lighter student, mmseg's MobileNetV2.
_base_ = ['./scd_r18_kitti.py']
mobilenet_weights = '{{$MOBILENETV2_WEIGHTS:https://download.openmmlab.com/mmclassification/v0/mobilenet_v2/mobilenet_v2_batch256_imagenet_20200708-3b2dc3af.pth}}'  # noqa: E501
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmseg.MobileNetV2',
        out_indices=(0, 1, 2, 4, 6),
        init_cfg=dict(type='Pretrained', checkpoint=mobilenet_weights, prefix='backbone.'),
    ),
    disp_head=dict(in_channels=(16, 24, 32, 96, 320)),
    distiller=dict(student_taps=[dict(module='backbone', index=3, channels=96, stride=16)]),
)

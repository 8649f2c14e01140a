# DeepLabV3+ on a dilated MobileNetV2.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::mobilenet_v2/mobilenet-v2-d8_deeplabv3plus_4xb2-80k_cityscapes-512x1024.py',
    checkpoint='auto',
    taps=[dict(module='backbone', index=3, channels=320, stride=8)],
)

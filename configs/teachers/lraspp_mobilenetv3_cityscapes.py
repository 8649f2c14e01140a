# LR-ASPP on MobileNetV3-Large; its head pools over 49x49 and takes no small images.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::mobilenet_v3/mobilenet-v3-d8_lraspp_4xb4-320k_cityscapes-512x1024.py',
    checkpoint='auto',
    taps=[dict(module='backbone', index=2, channels=960, stride=8)],
)

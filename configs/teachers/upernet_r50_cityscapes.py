# UPerNet on ResNet-50.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::upernet/upernet_r50_4xb2-80k_cityscapes-512x1024.py',
    checkpoint='auto',
    taps=[dict(module='backbone', index=2, channels=1024, stride=16)],
)

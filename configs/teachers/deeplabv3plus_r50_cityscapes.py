# DeepLabV3+ on a dilated ResNet-50.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::deeplabv3plus/deeplabv3plus_r50-d8_4xb2-80k_cityscapes-512x1024.py',
    checkpoint='auto',
    taps=[dict(module='backbone', index=3, channels=2048, stride=8)],
)

# DeepLabV3+ on a dilated ResNet-18.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py',
    checkpoint='auto',
    taps=[dict(module='backbone', index=3, channels=512, stride=8)],
)

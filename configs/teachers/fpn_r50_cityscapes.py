# Semantic FPN on ResNet-50.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::sem_fpn/fpn_r50_4xb2-80k_cityscapes-512x1024.py',
    checkpoint='auto',
    taps=[dict(module='neck', index=2, channels=256, stride=16)],
)

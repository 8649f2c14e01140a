# STDC2; the tap is what its decode head sees.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::stdc/stdc2_in1k-pre_4xb12-80k_cityscapes-512x1024.py',
    checkpoint='auto',
    taps=[dict(module='backbone', index=3, channels=256, stride=8)],
)

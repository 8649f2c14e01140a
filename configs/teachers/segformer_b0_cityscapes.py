# SegFormer-B0: light, and the usual first choice.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py',
    checkpoint='auto',
    taps=[dict(module='backbone', index=2, channels=160, stride=16)],
)

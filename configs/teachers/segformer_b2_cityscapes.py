# SegFormer-B2.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::segformer/segformer_mit-b2_8xb1-160k_cityscapes-1024x1024.py',
    checkpoint='auto',
    taps=[dict(module='backbone', index=2, channels=320, stride=16)],
)

# SegFormer-B5: the strongest of the list on Cityscapes, and the slowest.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::segformer/segformer_mit-b5_8xb1-160k_cityscapes-1024x1024.py',
    checkpoint='auto',
    taps=[dict(module='backbone', index=2, channels=320, stride=16)],
)

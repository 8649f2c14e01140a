# Fast-SCNN: the fastest of the list; the tap is the fusion of both branches.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py',
    checkpoint='auto',
    taps=[dict(module='backbone', index=2, channels=128, stride=8)],
)

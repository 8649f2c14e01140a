# OCRNet on HRNet-W18-small.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::ocrnet/ocrnet_hr18s_4xb2-160k_cityscapes-512x1024.py',
    checkpoint='auto',
    taps=[dict(module='backbone', index=2, channels=72, stride=16)],
)

# BiSeNetV1 on ResNet-18; the tap is the fusion of both paths.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::bisenetv1/bisenetv1_r18-d32-in1k-pre_4xb4-160k_cityscapes-1024x1024.py',
    checkpoint='auto',
    taps=[dict(module='backbone', index=0, channels=256, stride=8)],
)

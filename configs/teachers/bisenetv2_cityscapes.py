# BiSeNetV2; the tap is the fusion of both branches.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py',
    checkpoint='auto',
    taps=[dict(module='backbone', index=0, channels=128, stride=8)],
)

# UPerNet on Swin-T; mmseg has it for ADE20K only.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py',
    checkpoint='auto',
    taps=[dict(module='backbone', index=2, channels=384, stride=16)],
)

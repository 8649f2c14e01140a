# SegNeXt-T; mmseg has SegNeXt for ADE20K only.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::segnext/segnext_mscan-t_1xb16-adamw-160k_ade20k-512x512.py',
    checkpoint='auto',
    taps=[dict(module='backbone', index=2, channels=160, stride=16)],
)

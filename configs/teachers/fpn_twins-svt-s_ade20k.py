# Semantic FPN on Twins-SVT-S.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::twins/twins_svt-s_fpn_fpnhead_8xb4-80k_ade20k-512x512.py',
    checkpoint='auto',
    taps=[dict(module='backbone', index=2, channels=256, stride=16)],
)

# PIDNet-S; in eval mode its backbone puts out one map.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py',
    checkpoint='auto',
    taps=[dict(module='backbone', channels=128, stride=8)],
)

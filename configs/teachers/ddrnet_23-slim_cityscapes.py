# DDRNet-23-slim; in eval mode its backbone puts out one map.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py',
    checkpoint='auto',
    taps=[dict(module='backbone', channels=128, stride=8)],
)

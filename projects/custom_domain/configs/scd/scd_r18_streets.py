# SCD on your own video with your own teacher. STREETS is the folder that from_video.py made (a full
# path): frames, size and length of the training come from its config, the parts of SCD from here.
_base_ = [
    '{{$STREETS:../../../../data/my_streets}}/monodepth2_r18.py',
    '../../../../configs/_base_/models/scd_parts.py',
]

teacher = dict(
    type='MMSegTeacher',
    config='{{ fileDirname }}/../teacher/fpn_r18_streets.py',
    checkpoint='{{$STREET_TEACHER:work_dirs/fpn_r18_streets/iter_2000.pth}}',
    taps=[dict(module='neck', index=1, channels=128, stride=8)],
    needs_logits=True,
)
model = dict(
    losses=_base_.scd.losses,
    # what moves is left out, by the names in the teacher's checkpoint: person, vehicle
    pixel_weights=dict(moving=dict(type='MovingObjectWeight')),
    distiller=dict(_base_.scd.distiller, teacher=teacher),
)
# the graph starts from nothing, the networks from ImageNet
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(distiller=dict(lr_mult=10))))
# first the scene, then what it must not depend on: one epoch later
default_hooks = dict(
    schedule=dict(
        type='ScheduleHook',
        begin={{_base_.iters_per_epoch}},
        ramp={{_base_.iters_per_epoch}},
        parts=dict(graph=dict(), texture=dict(), structure=dict()),
    ),
    distill=dict(type='IsomorphicGraphDistillHook'),
)

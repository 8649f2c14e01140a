# SCD on your own video with your own teacher. STREETS is the folder that from_video.py made (a full
# path): frames, size and length of the training come from its config, the parts of SCD from here.
_base_ = ['{{$STREETS:../../../../data/my_streets}}/monodepth2_r18.py']

teacher = dict(
    type='MMSegTeacher',
    config='{{ fileDirname }}/../teacher/fpn_r18_streets.py',
    checkpoint='{{$STREET_TEACHER:work_dirs/fpn_r18_streets/iter_2000.pth}}',
    taps=[dict(module='neck', index=1, channels=128, stride=8)],
    needs_logits=True,
)
# what configs/_base_/models/scd_r18.py has: two bases must not both set `model`, and it lies in one
# here already
model = dict(
    losses=dict(
        structure=dict(type='StructureConsistencyLoss', loss_weight=0.03),
        texture=dict(
            type='TextureDisambiguationLoss',
            perturbation=dict(
                type='RetinexTexturePerturbation',
                keep_edges=0.5,
                kinds=dict(missing=dict(lowpass_prob=0.7), light=dict(prob=0.8, gain=6.0)),
            ),
            consistency_weight=0.03,
            photometric_weight=1.0,
            samples=0.5,
            loss_weight=1.0,
        ),
    ),
    # what moves is left out; ids of `classes` in the teacher's config: person, vehicle
    pixel_weights=dict(moving=dict(type='MovingObjectWeight', classes=(5, 6))),
    distiller=dict(
        type='IsomorphicGraphDistiller',
        student_taps=[dict(module='backbone', index=3, channels=256, stride=16)],
        teacher=teacher,
        losses=dict(
            edge=dict(type='EdgeKLLoss', loss_weight=0.1),
            node=dict(type='NodeCosineLoss', loss_weight=0.1),
            anchor=dict(type='AnchorLoss', loss_weight=0.1),
        ),
    ),
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

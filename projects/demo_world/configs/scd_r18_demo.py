# SCD on the demo world: monodepth2_r18_demo.py with all parts, and as teacher the network that
# ../train_teacher.py has made.
_base_ = ['../../../configs/_base_/models/scd_r18.py', './_base_/demo_training.py']
model = dict(
    # exposure and contrast drop out; README's table is measured with it
    data_preprocessor=dict(per_image=True),
    # as in monodepth2_r18_demo.py, where the reasons stand
    backbone=dict(init_cfg=None),
    pose_net=dict(encoder=dict(init_cfg=None), translation_scale=0.05),
    disp_head=dict(initial_disp=0.1),
    losses=dict(
        photometric=dict(auto_mask=False),
        texture=dict(photometric=dict(type='PhotometricLoss', auto_mask=False)),
    ),
    distiller=dict(
        # at 192x64 a stride of 16 leaves 48 vertices, too few for people and poles
        student_taps=[dict(module='backbone', index=2, channels=128, stride=8)],
        stride=8,
        teacher=dict(
            type='MMSegTeacher',
            config='{{fileDirname}}/teacher_fpn_r18_demo.py',
            checkpoint='{{$DEMO_TEACHER:work_dirs/demo_teacher}}/teacher.pth',
            taps=[dict(module='neck', index=1, channels=64, stride=8)],
            dtype='bfloat16',
            channels_last=True,
        ),
    ),
)
# the graph learns faster than the networks it is read from
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(distiller=dict(lr_mult=10))))
# First the scene, then what it must not depend on: with everything from the start so short a
# training settles for smooth depth, which agrees with everything.
default_hooks = dict(
    schedule=dict(
        type='ScheduleHook',
        begin=300,
        ramp=100,
        parts=dict(graph=dict(), texture=dict(), structure=dict()),
    ),
    distill=dict(type='IsomorphicGraphDistillHook', probe_size=(64, 192)),
)

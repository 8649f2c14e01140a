# SCD in the laboratory, and all its controls by overrides: ../lab.yml. Every variant has the same
# parameters, so that all of a seed can go on from one trunk. Losses of the distiller that a variant
# does not use weigh 0, and a part that it does not use begins after the end.
_base_ = ['../../../configs/_base_/models/scd_r18.py', './_base_/lab_training.py']
model = dict(
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
        losses=dict(
            inter=dict(type='InterNodeLoss', loss_weight=0.0),
            pairwise=dict(type='PairwiseSimilarityLoss', loss_weight=0.0),
            channels=dict(type='ChannelWiseKLLoss', loss_weight=0.0),
        ),
        teacher=dict(
            type='MMSegTeacher',
            config='{{fileDirname}}/lab_teacher_fpn_r18.py',
            checkpoint='{{$LAB_TEACHER:work_dirs/lab_teacher}}/teacher.pth',
            taps=[dict(module='neck', index=1, channels=64, stride=8)],
            dtype='bfloat16',
            channels_last=True,
        ),
    ),
)
# the graph learns faster than the networks it is read from
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(distiller=dict(lr_mult=10))))
default_hooks = dict(
    schedule=dict(
        type='ScheduleHook',
        begin=1000,
        ramp=100,
        parts=dict(graph=dict(), texture=dict(), structure=dict()),
    ),
    distill=dict(type='IsomorphicGraphDistillHook', probe_size=(64, 192)),
)

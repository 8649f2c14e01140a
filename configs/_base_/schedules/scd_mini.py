# schedule_mini.py with the parts of SCD. First the scene: with agreement from the start so short a
# training settles for smooth depth, which agrees with everything, and what perturbed images teach
# is learnt within 120 steps.
_base_ = ['./schedule_mini.py', '../default_runtime.py']
# the graph starts from nothing, the networks from ImageNet
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(distiller=dict(lr_mult=10))))
default_hooks = dict(
    checkpoint=dict(interval=150),
    logger=dict(interval=20),
    collapse_monitor=dict(begin=200),
    schedule=dict(
        type='ScheduleHook',
        begin=750,
        ramp=60,
        parts=dict(graph=dict(), texture=dict(), structure=dict()),
    ),
    distill=dict(type='IsomorphicGraphDistillHook', interval=50),
)

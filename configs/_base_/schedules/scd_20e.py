# schedule_20e.py with the parts of SCD. First the scene: the parts come after two epochs, over two
# epochs. A part has its own begin where its dict says so: `parts=dict(texture=dict(begin=0))`.
_base_ = ['./schedule_20e.py', '../default_runtime.py']
# the graph starts from nothing, the networks from ImageNet
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(distiller=dict(lr_mult=10))))
default_hooks = dict(
    schedule=dict(
        type='ScheduleHook',
        begin=6634,
        ramp=6634,
        parts=dict(graph=dict(), texture=dict(), structure=dict()),
    ),
    distill=dict(type='IsomorphicGraphDistillHook', interval=50),
)

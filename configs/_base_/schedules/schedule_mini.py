# 1050 iterations at a batch of 8: a training for a CPU.
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='MergedGroupsConstructor',
    optimizer=dict(type='Adam', lr=2e-4),
)
param_scheduler = [
    dict(type='CosineAnnealingLR', by_epoch=False, begin=450, end=1050, eta_min=2e-6),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=1050, val_interval=150)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=8)

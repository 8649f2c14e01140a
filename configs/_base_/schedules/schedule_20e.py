# 20 epochs of the Zhou split (39,810 samples) at a total batch of 12, learning rate x 0.1 after
# the 15th. Other totals: `tools/train.py --auto-scale-lr` keeps the number of epochs.
iters_per_epoch = 39810 // 12

optim_wrapper = dict(
    type='OptimWrapper',
    constructor='MergedGroupsConstructor',
    optimizer=dict(type='Adam', lr=1e-4),
)
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=False, milestones=[15 * iters_per_epoch], gamma=0.1),
]
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=20 * iters_per_epoch, val_interval=iters_per_epoch
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=12)

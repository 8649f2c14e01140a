# 1200 iterations at a batch of 8: a training for a CPU.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-4))
param_scheduler = [dict(type='MultiStepLR', by_epoch=False, milestones=[900], gamma=0.1)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=1200, val_interval=300)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=8)

# The laboratory: many rendered streets, judged on streets that nobody trained on. What baseline,
# SCD and all controls have in common. The set: `render.py --preset lab`.
_base_ = ['./demo_training.py']
lab_root = '{{$DEMO_LAB:data/demo_lab}}'
train_dataloader = dict(dataset=dict(data_root=lab_root))
val_dataloader = dict(dataset=dict(data_root=lab_root))
test_dataloader = dict(dataset=dict(data_root=lab_root))
# exact depth everywhere; poles, signs, people and vehicles are scored apart as well
val_evaluator = dict(
    _delete_=True,
    type='DepthMetric',
    protocol=dict(preset='default', name='lab', labels=('image_02/data', 'labels/image_02')),
    references=[dict(type='depth_map', path=lab_root + '/mean_depth.npy', name='mean depth map')],
)
test_evaluator = val_evaluator
# the first half is the same for all variants of a seed: `run_ablation.py --shared-until 1000`
train_cfg = dict(max_iters=2000, val_interval=1000)
param_scheduler = [
    dict(type='LinearLR', by_epoch=False, begin=0, end=50, start_factor=0.1),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=2000, eta_min=5e-6),
]
default_hooks = dict(checkpoint=dict(interval=1000), logger=dict(interval=50))

# All four examples in one config. DRIVES names the data; run it from the root of the repository:
#
#     PYTHONPATH=docs/en/examples DRIVES=data/drives python tools/train.py \
#         docs/en/examples/all_together.py
_base_ = [
    'mmscd::_base_/loaders.py',
    'mmscd::_base_/models/scd_r18.py',
    'mmscd::_base_/schedules/schedule_20e.py',
    'mmscd::_base_/default_runtime.py',
]
custom_imports = dict(imports=['new_loss', 'new_backbone', 'new_dataset', 'new_teacher'])

model = dict(
    backbone=dict(_delete_=True, type='TinyEncoder', channels=(16, 24, 32, 48, 64)),
    disp_head=dict(in_channels=(16, 24, 32, 48, 64)),
    pose_net=dict(encoder=dict(init_cfg=None)),
    # a new name adds a term, None takes one out
    losses=dict(bend=dict(type='SecondOrderSmoothnessLoss', loss_weight=1e-3), smoothness=None),
    distiller=dict(
        student_taps=[dict(module='backbone', index=3, channels=48, stride=16)],
        teacher=dict(
            type='BackboneTeacher',
            network=dict(type='ResNetEncoder', depth=18),  # random: give it an init_cfg
            taps=[dict(module='', index=3, channels=256, stride=16)],
        ),
    ),
)
img_size = (128, 64)  # width, height
train_pipeline = test_pipeline = [
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]
drives = dict(
    type='DriveFolderDataset', data_root='{{$DRIVES:data/drives}}', pipeline=train_pipeline
)
train_dataloader = dict(batch_size=2, num_workers=1, dataset=drives)
val_dataloader = dict(batch_size=2, num_workers=1, dataset=dict(drives, frame_ids=(0,)))
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type='DepthMetric', protocol='default')
auto_scale_lr = dict(base_batch_size=2)
train_cfg = dict(max_iters=1000, val_interval=500)
default_hooks = dict(
    checkpoint=dict(interval=500),
    schedule=dict(type='ScheduleHook', ramp=200, parts=dict(graph=dict())),
    distill=dict(type='IsomorphicGraphDistillHook', probe_size=(64, 128)),
)

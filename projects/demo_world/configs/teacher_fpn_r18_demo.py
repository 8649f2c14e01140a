# A semantic teacher for the demo world, in mmseg's own parts and from random weights: a narrow
# ResNet-18 + FPN. Training: ../train_teacher.py.
default_scope = 'mmseg'
# Whoever only wants the model (a depth training that reads this file) need not find the data set.
custom_imports = dict(
    imports=['demo_world.seg_dataset', 'demo_world.seg_training'], allow_failed_imports=True
)

norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        # what every training crop has
        size=(64, 192),
        pad_val=0,
        seg_pad_val=255,
    ),
    backbone=dict(
        type='ResNet',
        depth=18,
        stem_channels=32,
        base_channels=32,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 2, 2),
        dilations=(1, 1, 1, 1),
        norm_cfg=norm_cfg,
        norm_eval=False,
        style='pytorch',
    ),
    neck=dict(type='FPN', in_channels=[32, 64, 128, 256], out_channels=64, num_outs=4),
    decode_head=dict(
        type='FPNHead',
        in_channels=[64, 64, 64, 64],
        in_index=[0, 1, 2, 3],
        feature_strides=[4, 8, 16, 32],
        channels=64,
        dropout_ratio=0.1,
        num_classes=19,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

# The size at which the depth network, and so the teacher, sees the streets.
img_size = (192, 64)  # width, height
data_root = '{{$DEMO_WORLD:data/demo_world}}'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    # as far as RandomZoom of the depth network goes
    dict(
        type='RandomResize',
        scale=img_size,
        ratio_range=(1.0, 1.7),
        keep_ratio=False,
        interpolation='area',
    ),
    dict(type='RandomCrop', crop_size=img_size[::-1]),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
# labels are loaded after Resize: the prediction is judged at their size
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=img_size, keep_ratio=False, interpolation='area'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    # workers made anew would draw the same numbers in every epoch
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='LabelledDrivesDataset',
        data_root=data_root,
        ann_file='splits/train_files.txt',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=5,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='LabelledDrivesDataset',
        data_root=data_root,
        ann_file='splits/val_files.txt',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    val_dataloader, dataset=dict(val_dataloader['dataset'], ann_file='splits/test_files.txt')
)
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator

max_epochs = 40
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01))
param_scheduler = [
    dict(
        type='LinearLR',
        by_epoch=True,
        begin=0,
        end=2,
        start_factor=0.1,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        begin=2,
        end=max_epochs,
        T_max=max_epochs - 2,
        eta_min=1e-5,
        convert_to_iter_based=True,
    ),
]
# An epoch takes seconds: resuming at one loses no more than that.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs // 2)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=12),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # of mmscd: whole or not at all, and loaded without running code
    checkpoint=dict(type='mmscd.AtomicCheckpointHook', interval=4, max_keep_ckpts=1),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    predictions=dict(type='PredictionSheetHook'),
)
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
randomness = dict(seed=0)
log_level = 'INFO'
log_processor = dict(window_size=12)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='SegLocalVisualizer', vis_backends=vis_backends, name='visualizer')

# The rendered streets of this project, 192x64: training, validation and test streets differ.
dataset_type = 'KITTIRawDataset'
demo_root = '{{$DEMO_WORLD:data/demo_world}}'
frame_ids = (0, -1, 1)
img_size = (192, 64)  # width, height

train_pipeline = [
    dict(type='LoadFrames'),
    # few streets: without it the network learns them by heart
    dict(type='RandomZoom', scale=(0.6, 1.0), prob=0.5),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]
test_pipeline = [
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]

train_dataloader = dict(
    batch_size=12,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='KeyedInfiniteSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type=dataset_type,
        data_root=demo_root,
        ann_file='splits/train_files.txt',
        frame_ids=frame_ids,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type=dataset_type,
        data_root=demo_root,
        ann_file='splits/val_files.txt',
        frame_ids=(0,),
        gt='improved',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    val_dataloader, dataset=dict(val_dataloader['dataset'], ann_file='splits/test_files.txt')
)

# exact depth everywhere: no crop, up to 80 m; beside predictors that do not look at the image
val_evaluator = dict(
    type='DepthMetric',
    protocol='default',
    references=[
        dict(type='constant'),
        dict(type='flat_road', camera_height=1.5, far_caps=(20, 30, 40, 80)),
        dict(type='depth_map', path=demo_root + '/mean_depth.npy', name='mean depth map'),
    ],
)
test_evaluator = val_evaluator

# The rendered streets of this project, 192x64: training, validation and test streets differ.
_base_ = ['../../../configs/_base_/loaders.py']
dataset_type = 'KITTIRawDataset'
demo_root = '{{$DEMO_WORLD:data/demo_world}}'
img_size = (192, 64)  # width, height

train_pipeline = [
    dict(type='LoadFrames'),
    # few streets: without it the network learns them by heart
    dict(type='RandomZoom', scale=(0.6, 1.0), prob=0.5),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]
test_pipeline = [train_pipeline[0], *train_pipeline[2:]]

train_dataloader = dict(
    num_workers=2,
    dataset=dict(
        type=dataset_type,
        data_root=demo_root,
        ann_file='splits/train_files.txt',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        type=dataset_type,
        data_root=demo_root,
        ann_file='splits/val_files.txt',
        frame_ids=(0,),
        gt='improved',
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

# kitti_raw_mini.py at 640x192: for a GPU.
_base_ = ['./kitti_raw_mini.py']
img_size = (640, 192)  # width, height

train_pipeline = [
    dict(type='LoadFrames'),
    dict(type='RandomZoom', scale=(0.5, 1.0), prob=0.6),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]
test_pipeline = [train_pipeline[0], *train_pipeline[2:]]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

# KITTI raw, monocular triplets at 1024x320.
_base_ = ['./kitti_raw_mono_640x192.py']
img_size = (1024, 320)  # width, height

train_pipeline = [
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]
test_pipeline = train_pipeline

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

# Your own video: a folder of frames, a folder of such folders, or a video file, with the camera in
# a small yaml (`fx, fy, cx, cy, width, height`, or `hfov_deg`) in that folder or beside the file.
#
#     VIDEO_ROOT=my_drive.mp4 VIDEO_INTRINSICS=my_camera.yaml python tools/train.py CONFIG
#
# There is no ground truth, so there is no val_dataloader here. With some, add one with `gt_root`,
# `test_mode=True` and `pipeline=test_pipeline`.
dataset_type = 'FolderDepthDataset'
video_root = '{{$VIDEO_ROOT:data/video}}'
video_intrinsics = '{{$VIDEO_INTRINSICS:intrinsics.yaml}}'
frame_ids = (0, -1, 1)
img_size = (640, 192)  # width, height; multiples of 32, near the aspect ratio of the video

train_pipeline = [
    dict(type='LoadFrames', reduce=img_size),
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
    num_workers=4,
    persistent_workers=True,  # False when num_workers is 0
    pin_memory=True,
    sampler=dict(type='KeyedInfiniteSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type=dataset_type,
        data_root=video_root,
        intrinsics=video_intrinsics,
        frame_ids=frame_ids,
        stride=1,
        pipeline=train_pipeline,
    ),
)

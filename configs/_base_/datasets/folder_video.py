# Your own video: a folder of frames, a folder of such folders, or a video file, with the camera in
# a small yaml (`fx, fy, cx, cy, width, height`, or `hfov_deg`) in that folder or beside the file.
#
#     VIDEO_ROOT=my_drive.mp4 VIDEO_INTRINSICS=my_camera.yaml python tools/train.py CONFIG
#
# There is no ground truth, so there is no val_dataloader here. With some, add one with `gt_root`,
# `test_mode=True` and `pipeline=test_pipeline`.
_base_ = ['../loaders.py']
del _base_['val_dataloader'], _base_['test_dataloader']
video_root = '{{$VIDEO_ROOT:data/video}}'
video_intrinsics = '{{$VIDEO_INTRINSICS:intrinsics.yaml}}'
img_size = (640, 192)  # width, height; multiples of 32, near the aspect ratio of the video

train_pipeline = [
    dict(type='LoadFrames', reduce=img_size),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]
test_pipeline = [dict(type='LoadFrames'), *train_pipeline[1:]]

train_dataloader = dict(
    dataset=dict(
        type='FolderDepthDataset',
        data_root=video_root,
        intrinsics=video_intrinsics,
        stride=1,
        pipeline=train_pipeline,
    )
)

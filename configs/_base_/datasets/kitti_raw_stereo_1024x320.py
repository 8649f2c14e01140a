# KITTI raw, stereo pairs at 1024x320. Evaluation as in the mono file.
_base_ = ['./kitti_raw_mono_1024x320.py']
frame_ids = (0, 's')

train_dataloader = dict(dataset=dict(frame_ids=frame_ids))

# KITTI raw, stereo pairs at 640x192. Evaluation as in the mono file.
_base_ = ['./kitti_raw_mono_640x192.py']
frame_ids = (0, 's')

train_dataloader = dict(dataset=dict(frame_ids=frame_ids))

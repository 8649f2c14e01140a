# KITTI raw, triplets and stereo partners at 1024x320. Evaluation as in the mono file.
_base_ = ['./kitti_raw_mono_1024x320.py']
frame_ids = (0, -1, 1, 's')

train_dataloader = dict(dataset=dict(frame_ids=frame_ids))

# KITTI raw, triplets and stereo partners at 640x192. Evaluation as in the mono file.
_base_ = ['./kitti_raw_mono_640x192.py']
frame_ids = (0, -1, 1, 's')

train_dataloader = dict(dataset=dict(frame_ids=frame_ids))

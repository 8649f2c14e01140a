# Ablation: all three parts, images normalised by constants as in the baseline.
_base_ = ['./scd_r18_kitti-mini.py']
model = dict(data_preprocessor=dict(per_image=False))

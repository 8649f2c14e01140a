# Ablation: graph distillation alone.
_base_ = ['./scd_r18_kitti-mini.py']
model = dict(losses=dict(structure=None, texture=None))

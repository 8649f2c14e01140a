# Ablation: graph distillation alone.
_base_ = ['./scd_r18_kitti.py']
model = dict(losses=dict(structure=None, texture=None))

# Ablation: texture disambiguation and graph distillation.
_base_ = ['./scd_r18_kitti.py']
model = dict(losses=dict(structure=None))

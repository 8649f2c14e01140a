# Ablation: texture disambiguation and graph distillation.
_base_ = ['./scd_r18_kitti.py']
model = dict(data_preprocessor=dict(per_image=False), losses=dict(structure=None))

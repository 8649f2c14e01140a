# Ablation: graph distillation alone.
_base_ = ['./scd_r18_kitti.py']
model = dict(data_preprocessor=dict(per_image=False), losses=dict(structure=None, texture=None))

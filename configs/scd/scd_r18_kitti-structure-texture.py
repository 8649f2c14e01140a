# Ablation: structure consistency and texture disambiguation, no teacher.
_base_ = ['./scd_r18_kitti.py']
model = dict(data_preprocessor=dict(per_image=False), distiller=None)
default_hooks = dict(distill=None)

# Ablation: structure consistency and texture disambiguation, no teacher.
_base_ = ['./scd_r18_kitti.py']
model = dict(distiller=None)
default_hooks = dict(distill=None)

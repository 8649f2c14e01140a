# Ablation: texture disambiguation alone.
_base_ = ['./scd_r18_kitti.py']
model = dict(losses=dict(structure=None), distiller=None)
default_hooks = dict(distill=None)

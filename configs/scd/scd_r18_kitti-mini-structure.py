# Ablation: structure consistency alone.
_base_ = ['./scd_r18_kitti-mini.py']
model = dict(losses=dict(texture=None), distiller=None)
default_hooks = dict(distill=None)

# Ablation: nothing but images that are normalised by their own mean and deviation.
_base_ = ['./scd_r18_kitti-mini.py']
model = dict(
    data_preprocessor=dict(per_image=True),
    losses=dict(structure=None, texture=None),
    distiller=None,
)
default_hooks = dict(distill=None)

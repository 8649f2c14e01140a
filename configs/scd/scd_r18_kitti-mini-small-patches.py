# The full method with the mix of ../_base_/models/scd_small_patches.py.
_base_ = ['./scd_r18_kitti-mini.py', '../_base_/models/scd_small_patches.py']
model = dict(
    losses=dict(texture={{_base_.small_patches.texture}}),
    distiller=dict(losses={{_base_.small_patches.graph}}),
)

# scd_r18_kitti-mini-640x192.py with the mix of ../_base_/models/scd_small_patches.py, from 750 on.
_base_ = ['./scd_r18_kitti-mini-640x192.py', '../_base_/models/scd_small_patches.py']
model = dict(
    losses=dict(texture={{_base_.small_patches.texture}}),
    distiller=dict(losses={{_base_.small_patches.graph}}),
)
default_hooks = dict(
    distill=dict(begin=750),
    loss_schedule=dict(losses=dict(structure=dict(begin=750), texture=dict(begin=750))),
)

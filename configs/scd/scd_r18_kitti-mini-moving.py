# The full method, and the teacher's semantics take moving things out of the photometric loss.
_base_ = ['./scd_r18_kitti-mini.py']
model = dict(
    pixel_weights=dict(moving=dict(type='MovingObjectWeight')),
    distiller=dict(teacher=dict(needs_logits=True)),
)

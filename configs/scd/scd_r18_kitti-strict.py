# The full method with perturbations that change reflectance alone: neither low-pass nor light.
_base_ = ['./scd_r18_kitti.py']
model = dict(losses=dict(texture=dict(perturbation=dict(strict=True))))

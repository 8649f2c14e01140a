# The full method with perturbations that change reflectance alone: neither low-pass nor light.
_base_ = ['./scd_r18_kitti.py']
kinds = dict(missing=dict(lowpass_prob=0), light=None)
model = dict(losses=dict(texture=dict(perturbation=dict(kinds=kinds))))

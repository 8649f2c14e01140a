# Monodepth2 on the demo world.
_base_ = ['../../../configs/_base_/models/monodepth2_r18.py', './_base_/demo_training.py']
model = dict(
    backbone=dict(init_cfg=None),
    # in a short training the scale must not settle where near things saturate at min_depth
    pose_net=dict(encoder=dict(init_cfg=None), translation_scale=0.05),
    disp_head=dict(initial_disp=0.1),
    # The camera of this world never stands still and few cars move with it. Far things that are
    # still drawn too near fit worse than the unmoved image: the mask would take them out, and
    # they would stay near.
    losses=dict(photometric=dict(auto_mask=False)),
)

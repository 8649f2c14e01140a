# Monodepth2 in the laboratory, by itself; in an ablation the baseline is a variant of
# lab_scd_r18.py.
_base_ = ['../../../configs/_base_/models/monodepth2_r18.py', './_base_/lab_training.py']
# as in monodepth2_r18_demo.py, where the reasons stand
model = dict(
    backbone=dict(init_cfg=None),
    pose_net=dict(encoder=dict(init_cfg=None), translation_scale=0.05),
    disp_head=dict(initial_disp=0.1),
    losses=dict(photometric=dict(auto_mask=False)),
)

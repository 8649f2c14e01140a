# The full method with a transformer as the student, mmseg's MiT-B0: maps begin at stride 4.
_base_ = ['./scd_r18_kitti.py']
mit_weights = '{{$MIT_B0_WEIGHTS:https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/mit_b0_20220624-7e0fe6dd.pth}}'  # noqa: E501
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmseg.MixVisionTransformer',
        embed_dims=32,
        num_layers=[2, 2, 2, 2],
        num_heads=[1, 2, 5, 8],
        sr_ratios=[8, 4, 2, 1],
        drop_path_rate=0.1,
        init_cfg=dict(type='Pretrained', checkpoint=mit_weights),
    ),
    disp_head=dict(in_channels=(32, 64, 160, 256), in_strides=(4, 8, 16, 32)),
    distiller=dict(student_taps=[dict(module='backbone', index=2, channels=160, stride=16)]),
)

# Lite-Mono's network (3.1 M parameters) under the recipe of Monodepth2. Not trained by us. The
# paper trains 30 epochs with AdamW, a cosine schedule and weights from ImageNet, and so do its
# weights come: tools/model_converters/to_mmscd.py takes them.
_base_ = ['../monodepth2/monodepth2_r18_kitti.py']
model = dict(
    # what its published weights expect in every channel
    data_preprocessor=dict(mean=(0.45, 0.45, 0.45), std=(0.225, 0.225, 0.225)),
    backbone=dict(
        _delete_=True,
        type='LiteMono',
        channels=(48, 80, 128),
        dilations=((1, 2, 3), (1, 2, 3), (1, 2, 3, 1, 2, 3, 2, 4, 6)),
        drop_path=0.2,
    ),
    disp_head=dict(_delete_=True, type='LiteMonoHead', in_channels=(48, 80, 128)),
)

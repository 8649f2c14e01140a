# Monodepth2 with a ResNet-18: depth from single images, motion from pairs.
# RESNET18_WEIGHTS may name a local file with torchvision's parameter names.
resnet_weights = '{{$RESNET18_WEIGHTS:https://download.pytorch.org/models/resnet18-f37072fd.pth}}'
pretrained = dict(type='Pretrained', checkpoint=resnet_weights)

model = dict(
    type='SelfSupervisedDepthEstimator',
    frame_ids=(0, -1, 1),
    min_depth=0.1,
    max_depth=100.0,
    data_preprocessor=dict(
        type='DepthDataPreprocessor',
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        flip_prob=0.5,
        jitter_prob=0.5,
        brightness=0.2,
        contrast=0.2,
        saturation=0.2,
        hue=0.1,
    ),
    backbone=dict(type='ResNetEncoder', depth=18, init_cfg=pretrained),
    disp_head=dict(
        type='DispHead',
        in_channels=(64, 64, 128, 256, 512),
        in_strides=(2, 4, 8, 16, 32),
        channels=(16, 32, 64, 128, 256),
        scales=(0, 1, 2, 3),
    ),
    pose_net=dict(
        type='PoseNet',
        encoder=dict(type='ResNetEncoder', depth=18, in_channels=6, init_cfg=pretrained),
        in_channels=512,
    ),
    losses=dict(
        photometric=dict(type='PhotometricLoss', alpha=0.85, auto_mask=True, loss_weight=1.0),
        smoothness=dict(type='SmoothnessLoss', loss_weight=1e-3),
    ),
)

# Make3D: the 134 test images, for evaluation without fine-tuning.
#
# Get Test134.tar.gz and Test134Depth.tar.gz at http://make3d.cs.cornell.edu/data.html:
#
#     MAKE3D_ROOT/Test134/img-<name>.jpg
#     MAKE3D_ROOT/Gridlaserdata/depth_sph_corr-<name>.mat
#
# Protocol `make3d_c1`: a centred 2:1 window of the image, truth below 70 m, per-image median
# scaling. Published `rmse_log` of Make3D is in log10: divide ours by 2.3026.
_base_ = ['../loaders.py']
del _base_['train_dataloader']
make3d_root = '{{$MAKE3D_ROOT:data/make3d}}'

test_pipeline = [
    dict(type='LoadFrames'),
    dict(type='CropFrames', window=(710, 1562, None, None), crop_gt=False),
    *_base_.test_pipeline[1:],
]

val_dataloader = dict(
    batch_size=1,
    dataset=dict(type='Make3DDataset', data_root=make3d_root, pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='DepthMetric', protocol='make3d_c1')
test_evaluator = val_evaluator
official_sizes = dict(val_dataloader=134)

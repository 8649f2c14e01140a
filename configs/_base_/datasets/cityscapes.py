# Cityscapes: training on its video, evaluation on the 1525 test images.
#
# Get leftImg8bit_trainvaltest.zip (11 GB), leftImg8bit_sequence_trainvaltest.zip (324 GB, for
# training), camera_trainvaltest.zip and disparity_trainvaltest.zip at
# https://www.cityscapes-dataset.com:
#
#     CITYSCAPES_ROOT/leftImg8bit/test/berlin/berlin_000000_000019_leftImg8bit.png
#     CITYSCAPES_ROOT/leftImg8bit_sequence/train/aachen/aachen_000000_000000_leftImg8bit.png
#     CITYSCAPES_ROOT/camera/test/berlin/berlin_000000_000019_camera.json
#     CITYSCAPES_ROOT/disparity/test/berlin/berlin_000000_000019_disparity.png
#
# Protocol `cityscapes` (ManyDepth, CVPR 2021): lower quarter off, 512x192, then rows 256.. and
# columns 192..1856, 1e-3 to 80 m, per-image median scaling. It trains on every second frame,
# without nearly static ones: give its list of 69,731 as `ann_file` for that.
_base_ = ['../loaders.py']
dataset_type = 'CityscapesDataset'
cityscapes_root = '{{$CITYSCAPES_ROOT:data/cityscapes}}'
img_size = (512, 192)  # width, height

train_pipeline = [
    dict(type='LoadFrames'),
    dict(type='CropFrames', window=(0, 0.75, 0, 1.0)),  # the bonnet
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]
test_pipeline = [*train_pipeline[:-1], dict(type='PackDepthInputs', meta_keys=('condition',))]

train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=cityscapes_root,
        split='train',
        sequence=True,
        stride=2,
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    batch_size=4,
    dataset=dict(
        type=dataset_type,
        data_root=cityscapes_root,
        split='test',
        frame_ids=(0,),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='DepthMetric', protocol='cityscapes')
test_evaluator = val_evaluator
official_sizes = dict(train_dataloader=77350, val_dataloader=1525)

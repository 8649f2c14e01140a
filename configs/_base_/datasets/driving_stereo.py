# DrivingStereo, weather subset: 500 images each in sun, cloud, rain and fog, for evaluation.
#
# Get the four "different weathers" archives (full size: left images and depth maps; calibration is
# optional) at https://drivingstereo-dataset.github.io and unpack them into one folder:
#
#     DRIVING_STEREO_ROOT/{sunny,cloudy,rainy,foggy}/left-image-full-size/<name>.png
#     DRIVING_STEREO_ROOT/{sunny,cloudy,rainy,foggy}/depth-map-full-size/<name>.png
#
# Protocol `driving_stereo`: ground truth above 0, no crop, per-image median scaling, predictions
# clipped to 80 m. The table has a row per weather.
dataset_type = 'DrivingStereoDataset'
driving_stereo_root = '{{$DRIVING_STEREO_ROOT:data/driving_stereo}}'
img_size = (640, 192)  # width, height

test_pipeline = [
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs', meta_keys=('condition',)),
]

val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type=dataset_type,
        data_root=driving_stereo_root,
        weathers=['sunny', 'cloudy', 'rainy', 'foggy'],
        size='full',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='DepthMetric', protocol='driving_stereo')
test_evaluator = val_evaluator
official_sizes = dict(val_dataloader=2000)

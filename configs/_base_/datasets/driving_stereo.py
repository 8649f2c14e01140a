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
_base_ = ['../loaders.py']
del _base_['train_dataloader']
driving_stereo_root = '{{$DRIVING_STEREO_ROOT:data/driving_stereo}}'

test_pipeline = [*_base_.test_pipeline[:-1], dict(type='PackDepthInputs', meta_keys=('condition',))]

val_dataloader = dict(
    dataset=dict(
        type='DrivingStereoDataset',
        data_root=driving_stereo_root,
        weathers=['sunny', 'cloudy', 'rainy', 'foggy'],
        size='full',
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(type='DepthMetric', protocol='driving_stereo')
test_evaluator = val_evaluator
official_sizes = dict(val_dataloader=2000)

# Oxford RobotCar: training on the day drive, test on the 411 night images of RNW (ICCV 2021).
#
# Get drives 2014-12-09-13-21-02 (day) and 2014-12-16-18-44-24 (night): stereo/left, lms_front and
# gps at https://robotcar-dataset.robots.ox.ac.uk, demosaic and undistort the images and project the
# laser with the official SDK (see `RobotCarDataset`). Split files: https://github.com/w2kun/RNW,
# folder split_files/robotcar.
#
#     ROBOTCAR_ROOT/2014-12-16-18-44-24/{rgb/<time stamp>.png, depth/<time stamp>.npy}
#     ROBOTCAR_ROOT/2014-12-16-18-44-24/{intrinsic.npy, test_split.txt, train_split.txt}
#
# Protocol `robotcar_night_40m`: input and truth cut to the centred 1152x640, 1e-5 to 40 m,
# per-image median scaling. Some publications cap at 60 m: `robotcar_night_60m`.
_base_ = ['../loaders.py']
dataset_type = 'RobotCarDataset'
robotcar_root = '{{$ROBOTCAR_ROOT:data/robotcar}}'
img_size = (576, 320)  # width, height

train_pipeline = [
    dict(type='LoadFrames'),
    dict(type='CropFrames', size=(1152, 640)),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]
test_pipeline = [*train_pipeline[:-1], dict(type='PackDepthInputs', meta_keys=('condition',))]

train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=robotcar_root,
        drive='2014-12-09-13-21-02',
        part='train',
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=robotcar_root,
        drive='2014-12-16-18-44-24',
        part='test',
        frame_ids=(0,),
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(type='DepthMetric', protocol='robotcar_night_40m')
test_evaluator = val_evaluator
official_sizes = dict(val_dataloader=411)

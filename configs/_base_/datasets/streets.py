# Streets of several cities and cameras in one training, grey and colour; a development street to
# choose on; test sets that nothing is chosen on.
#
#     STREETS_ROOT/train/NAME/{frames/*.jpg, intrinsics.yaml}
#     STREETS_ROOT/{development,test}/NAME/{frames/*, depth/*.png, intrinsics.yaml}
#
# Frames are at any size, the camera is for pixels of the frames, depth is 16-bit PNG (metres x
# 256, 0 = none). The frames of development/kitti_odometry_04 are those of KITTI odometry, in
# KITTI_ODOMETRY_ROOT; two drives of KITTI raw are trained on, too, from KITTI_ROOT. Drives of the
# Eigen test split are in streets_plus.py only.
#
# The test set is STREETS_TEST; PandaSet's (not from KITTI's camera) is judged by the protocol
# `default`. Licences: KITTI and Karlsruhe CC BY-NC-SA 3.0, Cityscapes non-commercial, PandaSet
# CC BY 4.0 and its terms.
_base_ = ['../loaders.py']
streets_root = '{{$STREETS_ROOT:data/streets}}'
streets_test = '{{$STREETS_TEST:kitti_object_scattered}}'
kitti_root = '{{$KITTI_ROOT:data/kitti}}'
odometry_root = '{{$KITTI_ODOMETRY_ROOT:data/kitti_odometry}}'
img_size = (640, 192)  # width, height

train_pipeline = [
    dict(type='LoadFrames', reduce=img_size),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
]
train_dataloader = dict(
    dataset=dict(
        type='JoinedDataset',
        pipeline=train_pipeline,
        datasets=[
            dict(
                type='FolderDepthDataset',
                data_root=f'{streets_root}/train/{name}/frames',
                intrinsics=f'{streets_root}/train/{name}/intrinsics.yaml',
                dataset_name=name,
            )
            for name in (
                'kitti_2011_09_26_drive_0001_l',
                'kitti_2011_09_26_drive_0001_r',
                'kitti_2011_09_26_drive_0015_r',
                'karlsruhe_2010_03_09_drive_0019_l',
                'cityscapes_aachen_seq0000',
                'cityscapes_aachen_seq0001',
                'cityscapes_aachen_seq0002',
                'cityscapes_aachen_seq0003',
                'cityscapes_aachen_seq0004',
                'cityscapes_aachen_seq0005',
                'kitti_odometry_01_l',
            )
        ]
        + [
            dict(
                type='KITTIRawDataset',
                data_root=kitti_root,
                drives=['2011_09_26_drive_0095_sync', '2011_09_26_drive_9001_sync'],
                sides=('l',),
            )
        ],
    )
)
val_dataloader = dict(
    dataset=dict(
        type='FolderDepthDataset',
        data_root=odometry_root + '/sequences/04/image_2',
        intrinsics=streets_root + '/development/kitti_odometry_04/intrinsics.yaml',
        gt_root=streets_root + '/development/kitti_odometry_04/depth',
        frame_ids=(0,),
        dataset_name='kitti_odometry_04',
    )
)
test_dataloader = dict(
    dataset=dict(
        type='FolderDepthDataset',
        data_root=f'{streets_root}/test/{streets_test}/frames',
        intrinsics=f'{streets_root}/test/{streets_test}/intrinsics.yaml',
        gt_root=f'{streets_root}/test/{streets_test}/depth',
        frame_ids=(0,),
        dataset_name=streets_test,
    )
)
val_evaluator = dict(type='DepthMetric', protocol='kitti_eigen')
test_evaluator = dict(
    type='DepthMetric',
    protocol='kitti_eigen' if streets_test.startswith('kitti') else 'default',
)

# KITTI 2015 (scene flow): 200 stereo pairs with disparities, for evaluation.
#
# Get data_scene_flow.zip (2 GB) and data_scene_flow_calib.zip at
# https://www.cvlibs.net/datasets/kitti/eval_scene_flow.php?benchmark=stereo, unpacked into one
# folder:
#
#     KITTI_2015_ROOT/training/{image_2,image_3,disp_occ_0,disp_noc_0}/000000_10.png
#     KITTI_2015_ROOT/training/calib_cam_to_cam/000000.txt
#
# Protocol `kitti_2015` (monodepth, CVPR 2017): all pixels with a disparity, no crop, predictions
# clipped to 80 m; per-image median scaling (`kitti_2015_stereo`: none, for metric models). The
# images come from drives of KITTI raw, also from training drives of the Eigen split: the published
# numbers are of models trained on the other drives (the KITTI split of monodepth).
dataset_type = 'KITTI2015Dataset'
kitti_2015_root = '{{$KITTI_2015_ROOT:data/kitti_2015}}'
img_size = (640, 192)  # width, height

test_pipeline = [
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=img_size),
    dict(type='PackDepthInputs'),
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
        data_root=kitti_2015_root,
        frame_ids=(0,),
        disparity='occ',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='DepthMetric', protocol='kitti_2015')
test_evaluator = val_evaluator
official_sizes = dict(val_dataloader=200)

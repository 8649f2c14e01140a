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
_base_ = ['../loaders.py']
del _base_['train_dataloader']
kitti_2015_root = '{{$KITTI_2015_ROOT:data/kitti_2015}}'

val_dataloader = dict(
    dataset=dict(
        type='KITTI2015Dataset', data_root=kitti_2015_root, frame_ids=(0,), disparity='occ'
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(type='DepthMetric', protocol='kitti_2015')
test_evaluator = val_evaluator
official_sizes = dict(val_dataloader=200)

# The 652 Eigen test images that have improved ground truth (Uhrig et al., 3DV 2017); training as in
# the mono file. In its own file since the two truths never share a table.
#
# Get data_depth_annotated.zip (14 GB) at
# https://www.cvlibs.net/datasets/kitti/eval_depth.php?benchmark=depth_prediction and unpack it:
#
#     KITTI_IMPROVED_ROOT/{train,val}/2011_09_26_drive_0013_sync/proj_depth/groundtruth/image_02/
#         0000000005.png    (uint16, metres x 256, 0 = none)
#
# Protocol `kitti_eigen_improved`: no crop, all pixels above 0, per-image median scaling,
# predictions clipped to 80 m.
_base_ = ['./kitti_raw_mono_640x192.py']
kitti_splits = '{{$KITTI_SPLITS:data/splits/kitti}}'

val_dataloader = dict(
    dataset=dict(
        ann_file=kitti_splits + '/eigen_benchmark/test_files.txt',
        gt='improved',
        improved_gt_root='{{$KITTI_IMPROVED_ROOT:data/kitti_depth}}',
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(protocol='kitti_eigen_improved')
test_evaluator = val_evaluator
official_sizes = dict(train_dataloader=39810, val_dataloader=652)

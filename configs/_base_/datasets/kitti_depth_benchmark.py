# KITTI depth-prediction benchmark: 1000 selected validation images for validation, 500 anonymous
# ones for the test, which writes the PNGs to submit.
#
# Get data_depth_selection.zip (2 GB) at
# https://www.cvlibs.net/datasets/kitti/eval_depth.php?benchmark=depth_prediction:
#
#     KITTI_BENCHMARK_ROOT/depth_selection/val_selection_cropped/
#         {image,groundtruth_depth,intrinsics}
#     KITTI_BENCHMARK_ROOT/depth_selection/test_depth_prediction_anonymous/{image,intrinsics}
#
# Images are 1216x352 cuts of KITTI raw without the sky: another aspect ratio than KITTI raw has.
# Protocol: the server ranks by SILog without aligning anything; `kitti_depth_benchmark` gives the
# usual seven errors under that condition. Set `test_evaluator.scale` for a model without metric
# scale.
_base_ = ['../loaders.py']
del _base_['train_dataloader']
dataset_type = 'KITTIDepthBenchmarkDataset'
benchmark_root = '{{$KITTI_BENCHMARK_ROOT:data/kitti_depth}}'

val_dataloader = dict(
    dataset=dict(type=dataset_type, data_root=benchmark_root, part='val_selection_cropped')
)
test_dataloader = dict(
    dataset=dict(
        type=dataset_type, data_root=benchmark_root, part='test_depth_prediction_anonymous'
    )
)
val_evaluator = dict(type='DepthMetric', protocol='kitti_depth_benchmark')
test_evaluator = dict(type='KITTISubmission', out_dir='work_dirs/kitti_submission', scale=1.0)
official_sizes = dict(val_dataloader=1000, test_dataloader=500)

# nuScenes-Night: the 500 night images of RNW (Wang et al., ICCV 2021), for evaluation. Data as in
# nuscenes.py, and the list `night_test_split.txt` (names of images) from
# https://github.com/w2kun/RNW, folder split_files/nuscenes.
#
# Protocol `nuscenes_night`: LiDAR between 1e-5 and 60 m, no crop, per-image median scaling. RNW
# feeds 768x384 and resizes predictions with nearest neighbours, we bilinearly.
_base_ = ['./nuscenes.py']
nuscenes_splits = '{{$NUSCENES_SPLITS:data/splits/nuscenes}}'

val_dataloader = dict(dataset=dict(ann_file=nuscenes_splits + '/night_test_split.txt', split=None))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='nuscenes_night')
test_evaluator = val_evaluator
official_sizes = dict(val_dataloader=500)

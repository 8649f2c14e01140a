# Test of a KITTI model on the weather subset of DrivingStereo: tools/test.py only.
_base_ = [
    '../_base_/models/monodepth2_r18.py',
    '../_base_/datasets/driving_stereo.py',
    '../_base_/schedules/test_only.py',
    '../_base_/default_runtime.py',
]

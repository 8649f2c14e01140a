# Foggy Cityscapes, beta 0.02 (visibility 150 m): the 1525 test images in simulated fog, for
# evaluation; training as in cityscapes.py. Get leftImg8bit_trainvaltest_foggy.zip (30 GB) at
# https://www.cityscapes-dataset.com and unpack it beside the folders of Cityscapes:
#
#     CITYSCAPES_ROOT/leftImg8bit_foggy/test/berlin/
#         berlin_000000_000019_leftImg8bit_foggy_beta_0.02.png
#
# Protocol `foggy_cityscapes`: as `cityscapes`.
_base_ = ['./cityscapes.py']

val_dataloader = dict(dataset=dict(type='FoggyCityscapesDataset', beta=0.02))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='foggy_cityscapes')
test_evaluator = val_evaluator

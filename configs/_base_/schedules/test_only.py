# For configs that only test: beside a dataset file without training data.
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

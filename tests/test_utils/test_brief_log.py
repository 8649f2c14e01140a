"""The short form of training logs."""

from mmscd.utils.brief_log import shorten


def test_progress_by_iterations_and_by_epochs():
    line = (
        '11/23 11:26:51 - mmengine - INFO - Iter(train) [ 375/750]  lr: 2.0e-04  eta: 0:17:59  '
        'time: 1.1  data_time: 0.01  loss: 0.1151  loss_photometric: 0.1150'
    )
    assert shorten(line) == f'[{"#" * 12}{"." * 12}] 375/750  eta 0:17:59  loss 0.1151'
    line = line.replace('Iter(train) [ 375/750]', 'Epoch(train)   [3][24/24]')
    assert shorten(line) == f'epoch 3 [{"#" * 24}] 24/24  eta 0:17:59  loss 0.1151'


def test_tables_and_errors_stay_and_the_rest_goes():
    assert shorten('| model | 0.1 |\n') == '| model | 0.1 |'
    assert shorten('ValueError: bad\n') == 'ValueError: bad'
    assert shorten('11/23 - mmengine - INFO - Hooks will be executed\n') is None

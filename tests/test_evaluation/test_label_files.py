"""Labels beside the images, and the error of objects apart from all."""

import cv2
import numpy as np
import pytest

from mmscd.evaluation import DepthMetric, DepthProtocol, evaluate_pixels, get_protocol
from mmscd.evaluation.label_files import OBJECT_NAMES, OBJECTS, LabelsBeside

RULE = ('image_02/data', 'labels/image_02')
ROAD, POLE, SIGN, SKY, PERSON, CAR, IGNORED = 0, 5, 7, 10, 11, 13, 255


@pytest.fixture
def drive(tmp_path):
    """Paths of an image, not written, whose labels lie beside it."""
    labels = np.array([[ROAD, POLE, SIGN], [PERSON, CAR, IGNORED]], np.uint8)
    path = tmp_path / 'image_02/data/drive/labels/image_02/7.png'
    path.parent.mkdir(parents=True)
    cv2.imwrite(str(path), labels)
    return tmp_path / 'image_02/data/drive/image_02/data/7.jpg'


def test_the_last_part_of_that_name_is_replaced(drive):
    labels, beside = LabelsBeside(*RULE)(str(drive), None, (2, 3)), LabelsBeside(*RULE)
    assert labels.tolist() == [[0, 5, 7], [11, 13, 255]]
    objects = beside.objects(str(drive), (2, 3))
    assert objects.tolist() == [[False, True, True], [True, True, False]]
    larger = beside.objects(str(drive), (4, 6))
    assert np.array_equal(larger, objects.repeat(2, 0).repeat(2, 1))
    assert {'pole', 'person', 'car', 'bicycle'} < {*OBJECT_NAMES} and 'road' not in OBJECT_NAMES


def test_what_does_not_fit_is_named(drive, tmp_path):
    beside = LabelsBeside(*RULE)
    with pytest.raises(ValueError, match="holds? .*'image_02/data', of which 'labels/image_02'"):
        beside(str(tmp_path / 'image_03/7.jpg'), None, (2, 3))
    with pytest.raises(FileNotFoundError, match=r'labels/image_02/8\.png'):
        beside(str(drive.with_name('8.jpg')), None, (2, 3))
    with pytest.raises(ValueError, match='2x3'):
        beside(str(drive), None, (3, 2))
    for wrong in ('labels', ('a', 'b', 'c')):
        with pytest.raises(ValueError, match='labels must be two parts of paths'):
            DepthProtocol(labels=wrong)


def test_objects_are_aligned_with_everything(drive):
    protocol = get_protocol(dict(preset='default', labels=[*RULE]))
    assert protocol.name == 'default (modified)' and hash(protocol)
    gt = np.array([10.0, 4.0, 5.0, 8.0, 20.0, 2.0])
    pred = np.array([5.0, 3.0, 2.5, 2.0, 10.0, 1.0])
    objects = protocol.find_objects(str(drive), np.arange(6), (2, 3))
    found = evaluate_pixels(pred, gt, protocol, objects)
    ratio = np.median(gt) / np.median(pred)
    by_hand = [abs(pred[i] * ratio - gt[i]) / gt[i] for i in (1, 2, 3, 4)]
    assert found[OBJECTS] == pytest.approx(np.mean(by_hand), rel=1e-12)
    plain = evaluate_pixels(pred, gt, protocol)
    assert OBJECTS not in plain and plain == {k: v for k, v in found.items() if k != OBJECTS}
    assert np.isnan(evaluate_pixels(pred, gt, protocol, np.zeros(6, bool))[OBJECTS])
    assert np.isnan(evaluate_pixels(pred * np.nan, gt, protocol, objects)[OBJECTS])
    assert get_protocol('default').find_objects(str(drive), np.arange(6), (2, 3)) is None


def test_metric_gives_the_mean_over_images_with_objects(drive):
    metric = DepthMetric(dict(preset='default', labels=RULE))
    bare = drive.with_name('9.jpg')
    path = drive.parents[2] / 'labels/image_02/9.png'
    cv2.imwrite(str(path), np.full((2, 3), SKY, np.uint8))
    gt, pred = np.full((2, 3), 4.0), np.full((2, 3), 4.0)
    pred[0, 1] = 6.0
    for number, image in enumerate((drive, bare)):
        sample = dict(img_path=str(image), sample_idx=number, gt_depth=gt, pred_depth=pred)
        metric.process({}, [sample])
    found = metric.compute_metrics(metric.results)
    assert found[OBJECTS] == pytest.approx(0.5 / 4)
    assert found['abs_rel'] == pytest.approx(0.5 / 6)

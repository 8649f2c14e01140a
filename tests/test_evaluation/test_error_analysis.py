"""Errors by distance and class, against loops over pixels."""

import csv

import numpy as np
import pytest

from mmscd.evaluation import get_protocol
from mmscd.evaluation.error_analysis import (
    ALL,
    MOVABLE,
    NO_CLASS,
    ErrorTally,
    make_group_table,
    write_groups,
)
from mmscd.evaluation.error_run import ErrorAnalysis

EDGES = (0, 10, 20, 80)
CLASSES = ('road', 'car', 'sky')


def pixels(seed, count=400):
    rng = np.random.default_rng(seed)
    gt = rng.uniform(1, 90, count)
    gt[:4] = (10, 20, 80, 79.999)  # on the edges
    return gt * rng.uniform(0.5, 2, count), gt, rng.choice([0, 1, 255, 7], count)


@pytest.fixture
def tally():
    tally = ErrorTally(EDGES, CLASSES)
    for seed in range(3):
        tally.add(*pixels(seed))
    return tally


def by_hand(name, low, high):
    signed, total = [], 0
    for seed in range(3):
        for pred, gt, label in zip(*pixels(seed), strict=True):
            if not 0 <= gt < 80:
                continue
            total += 1
            mine = CLASSES[label] if label < 3 else NO_CLASS
            mine = MOVABLE if name == MOVABLE and mine == 'car' else mine
            if low <= gt < high and name in (ALL, mine):
                signed.append((pred - gt) / gt)
    return signed, total


def test_every_cell(tally):
    rows = tally.summarize()
    assert list(rows) == [ALL, MOVABLE, 'road', 'car', NO_CLASS]  # nothing is sky
    bins = {ALL: (0, 80), '0-10 m': (0, 10), '10-20 m': (10, 20), '20-80 m': (20, 80)}
    for name, cells in rows.items():
        assert list(cells) == list(bins)
        for label, cell in cells.items():
            signed, total = by_hand(name, *bins[label])
            assert cell['n_pixels'] == len(signed)
            assert cell['share'] == pytest.approx(len(signed) / total)
            assert cell['abs_rel'] == pytest.approx(np.mean(np.abs(signed)), rel=1e-5)
            assert cell['median_signed'] == pytest.approx(np.median(signed), rel=1e-4, abs=1e-6)
            assert cell['hole_rate'] == pytest.approx(np.mean([error > 0.5 for error in signed]))
    for label in bins:
        parts = [rows[name][label] for name in rows if name not in (ALL, MOVABLE)]
        assert sum(part['n_pixels'] for part in parts) == rows[ALL][label]['n_pixels']


def test_without_classes_and_empty_bins(tmp_path):
    tally = ErrorTally(EDGES)
    tally.add(np.array([6.0, 3.0]), np.array([5.0, 4.0]))
    rows = tally.summarize()
    assert list(rows) == [ALL]
    assert rows[ALL]['0-10 m']['abs_rel'] == pytest.approx((0.2 + 0.25) / 2)
    assert rows[ALL]['0-10 m']['median_signed'] == pytest.approx((0.2 - 0.25) / 2)
    assert np.isnan(rows[ALL]['20-80 m']['abs_rel']) and rows[ALL]['20-80 m']['share'] == 0
    table = make_group_table(rows[ALL], 'distance')
    assert '20-80 m' not in table and '100.0%' in table and '-2.5%' in table
    assert 'hole rate' in table
    write_groups(tmp_path / 'errors.csv', rows)
    with open(tmp_path / 'errors.csv') as stream:
        written = list(csv.DictReader(stream))
    assert [row['distance'] for row in written] == [ALL, '0-10 m', '10-20 m', '20-80 m']
    assert float(written[0]['abs_rel']) == pytest.approx(0.225)
    assert written[3]['abs_rel'] == '' and written[3]['n_pixels'] == '0'
    rows[ALL][ALL]['n_pixels'] = 12345678
    write_groups(tmp_path / 'errors.csv', rows)
    with open(tmp_path / 'errors.csv') as stream:
        assert next(csv.DictReader(stream))['n_pixels'] == '12345678'


def test_dense_ground_truth_is_thinned_evenly():
    gt = np.linspace(1, 79, 10_000)
    whole, thinned = ErrorTally(EDGES), ErrorTally(EDGES, max_pixels=500)
    for tally in (whole, thinned):
        tally.add(gt * (1 + gt / 100), gt)
    all_of, some = whole.summarize()[ALL], thinned.summarize()[ALL]
    assert some[ALL]['n_pixels'] == 500
    for label in all_of:
        for key in ('abs_rel', 'share', 'median_signed'):
            assert some[label][key] == pytest.approx(all_of[label][key], rel=0.02)


def test_what_makes_no_sense_is_refused(tally):
    for edges in ((5,), (5, 5), (10, 5)):
        with pytest.raises(ValueError, match='increasing edges'):
            ErrorTally(edges)
    with pytest.raises(ValueError, match='max_pixels'):
        ErrorTally(max_pixels=0)
    with pytest.raises(ValueError, match='classes need one per pixel'):
        tally.add(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match=r'pred has shape \(2,\), gt \(3,\)'):
        tally.add(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match='nothing to analyse'):
        ErrorTally(EDGES).summarize()


def test_images_that_are_not_finite_are_neither_ranked_nor_averaged(tmp_path):
    analysis = ErrorAnalysis(get_protocol(dict(preset='default', alignment='none')), keep=2)
    gt = np.full((4, 6), 10.0, np.float32)
    for number, error in enumerate([0.1, np.nan, 0.3, 0.2]):
        field = dict(gt_depth=gt, pred_depth=gt * np.float32(1 + error), pred_inv_depth=1 / gt)
        meta = dict(img_path=f'{number}.png', sample_idx=number, ori_shape=gt.shape, frame=None)
        analysis.add({**meta, **field})
    assert [record['img_path'] for record in analysis.records] == [
        '2.png',
        '3.png',
        '0.png',
        '1.png',
    ]
    assert [kept['img_path'] for kept in analysis.worst] == ['2.png', '3.png']
    text = analysis.report(tmp_path)
    assert (
        '1 images: the predicted depth is not finite' in text
        and '1.png' in text
        and 'abs_rel nan' in text
    )

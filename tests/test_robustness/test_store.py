"""Passes on disk that were cut, edited or are of another kind."""

import json
import math

import pytest

from mmscd.robustness.store import PassStore, read_image_errors, write_image_errors

METRICS = dict(abs_rel=0.1, sq_rel=1.0, rmse=3.0, rmse_log=0.2, delta1=0.8, delta2=0.9, delta3=1)
METRICS |= dict(scale_ratio=None, n_pixels=30, n_unusable=0)


@pytest.fixture
def store(tmp_path):
    store = PassStore(tmp_path, 'a', 'key')
    records = {name: dict(metrics=METRICS, psnr=30.0) for name in ('x', 'y')}
    store.add(('fog', 1), records | dict(empty=dict(metrics=None, psnr=None)))
    return store


def test_a_pass_is_read_as_written(store):
    summary = store.summarize(('fog', 1), ['x', 'y', 'empty'])
    assert summary['abs_rel'] == 0.1 and summary['dee'] == pytest.approx(0.15)
    assert (summary['psnr'], summary['n_images'], summary['n_empty']) == (30, 2, 1)
    with pytest.raises(ValueError, match=r"fog_1\.json lacks the image 'z'; run the same command"):
        store.summarize(('fog', 1), ['x', 'z'])


def test_errors_by_image_are_means_over_severities(store, tmp_path):
    odd = dict(METRICS, abs_rel=None)  # not finite
    harder = dict(METRICS, abs_rel=0.3, delta1=0.4)
    records = dict(x=harder, y=odd, empty=None)
    store.add(('fog', 2), {k: dict(metrics=m, psnr=None) for k, m in records.items()})
    store.add(('clean', 0), store.read(('fog', 1)))
    passes = [('clean', 0), ('fog', 1), ('fog', 2)]
    errors = store.image_errors(passes, ['y', 'empty', 'x'])
    assert errors.images == ['y', 'x'] and errors.abs_rel.tolist() == [0.1, 0.1]
    assert errors.dee['clean'] == pytest.approx([0.15, 0.15])
    assert errors.dee['fog'] == pytest.approx([math.nan, (0.15 + 0.45) / 2], nan_ok=True)
    path = tmp_path / 'image_errors.json'
    write_image_errors(path, dict(a=errors))
    again = read_image_errors(path, 'a')
    assert again.images == errors.images and list(again.dee) == ['clean', 'fog']
    assert again.dee['fog'] == pytest.approx(errors.dee['fog'], nan_ok=True)
    for change, told in (
        (lambda c: c['a']['images'].pop(), 'a has lists of different lengths'),
        (lambda c: c['a']['dee'].pop('clean'), 'a.dee.clean is missing'),
        (lambda c: c.pop('a'), 'a is missing'),
    ):
        content = json.loads(path.read_text())
        change(content)
        (tmp_path / 'bad.json').write_text(json.dumps(content))
        with pytest.raises(ValueError, match=rf'bad\.json.*{told}.*run test_robustness\.py --out'):
            read_image_errors(tmp_path / 'bad.json', 'a')
    # folders of older versions have no such file
    with pytest.raises(FileNotFoundError, match='does not exist; run test_robustness'):
        read_image_errors(tmp_path / 'old' / 'image_errors.json', 'a')


@pytest.mark.parametrize(
    'change, told',
    [
        (lambda c: c.pop('images'), 'images is missing, expected a mapping'),
        (lambda c: c['images'].update(x=True), 'images.x is True, expected a mapping'),
        (lambda c: c['images']['x'].pop('metrics'), 'images.x.metrics is missing'),
        (lambda c: c['images']['x'].update(psnr=[]), r'images.x.psnr is \[\], expected a finite n'),
        (lambda c: c['images']['x'].update(metrics={}), 'images.x.metrics.abs_rel is missing'),
        (lambda c: c['images']['x']['metrics'].update(delta1=float('nan')), 'delta1 is nan'),
        (lambda c: c['images']['x']['metrics'].update(delta1=1.5), 'a finite number from 0 to 1'),
        (lambda c: c['images']['x']['metrics'].update(rmse=''), "metrics.rmse is ''"),
        (lambda c: c['images']['x']['metrics'].pop('scale_ratio'), 'scale_ratio is missing'),
        (lambda c: c['images']['x']['metrics'].update(scale_ratio=9**99), 'scale_ratio is 29'),
    ],
)
def test_a_damaged_pass_is_named(store, change, told):
    path = store.path(('fog', 1))
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf'fog_1\.json: .*{told}.*remove it'):
        store.read(('fog', 1))


@pytest.mark.parametrize('text', ['', '{"key": "k', '[' * 100_000])
def test_half_a_pass_is_named(store, text):
    store.path(('fog', 1)).write_text(text)
    with pytest.raises(ValueError, match=r'fog_1\.json is no readable json .*remove it'):
        store.lacks(('fog', 1), ['x'])

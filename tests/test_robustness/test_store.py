"""Passes on disk that were cut, edited or are of another kind."""

import json

import pytest

from mmscd.robustness.store import PassStore

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

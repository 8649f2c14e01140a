"""The summary of the corruption benchmark, as a report reads it."""

import json

import pytest

from mmscd.report.robustness import read_comparison


def summary():
    rows = {name: dict(abs_rel=0.1 * i) for i, name in enumerate(('clean', 'fog', 'dark'), 1)}
    scores = dict(clean_dee=0.1, mean_dee=0.2, mce=None, mrr=80.0)
    settings = dict(n_images=3, severities=[1, 2], protocol='p', metric='m', baseline=None)
    return dict(models=dict(a=dict(summary=scores, corruptions=rows)), settings=settings, paired=[])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'dee.svg').write_text('<svg/>')
    (tmp_path / 'examples.png').write_bytes(b'png')
    return tmp_path


def test_means_leave_clean_images_out(folder):
    (folder / 'summary.json').write_text(json.dumps(summary()))
    model = read_comparison(folder).models['a']
    assert model['clean_abs_rel'] == 0.1 and model['abs_rel'] == pytest.approx(0.25)


@pytest.mark.parametrize(
    'change, told',
    [
        (lambda c: c.pop('models'), 'models is missing'),
        (lambda c: c.update(models={}), 'holds no corruptions'),
        (lambda c: c['models'].update(a='abc'), "models.a is 'abc', expected a mapping"),
        (
            lambda c: c['models']['a'].update(summary='\0'),
            'models.a.summary is .* a map',
        ),
        (lambda c: c['models']['a']['summary'].pop('mrr'), 'models.a.summary.mrr is missing'),
        (lambda c: c['models']['a']['corruptions'].pop('clean'), 'corruptions.clean is missing'),
        (lambda c: c['models']['a']['corruptions'].update(fog=[1]), r'corruptions.fog is \[1\]'),
        (lambda c: c['models']['a'].update(corruptions=dict(clean=dict(abs_rel=1))), 'no corrupt'),
        (lambda c: c['models']['a']['corruptions']['fog'].update(abs_rel=0), 'abs_rel is 0, exp'),
        (lambda c: c.pop('paired'), 'paired is missing'),  # of an older version
        (lambda c: c['settings'].pop('baseline'), 'settings.baseline is missing'),
        (lambda c: c['settings'].update(severities=5), 'settings.severities is 5, expected a list'),
    ],
)
def test_a_damaged_summary_is_named(folder, change, told):
    content = summary()
    change(content)
    (folder / 'summary.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf'summary\.json.*{told}.*run test_robustness\.py anew'):
        read_comparison(folder)

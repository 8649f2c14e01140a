"""Results per image that were edited."""

import json

import pytest

from mmscd.evaluation.bootstrap import Bootstrap
from mmscd.evaluation.comparison import compare_files

METRICS = dict(abs_rel=0.1, sq_rel=1.0, rmse=3.0, rmse_log=0.2, delta1=0.8, delta2=0.9, delta3=1)


def results():
    rows = [dict(METRICS, img_path=name, n_pixels=9) for name in ('a', 'b')]
    empty = dict(dict.fromkeys(METRICS), img_path='none', n_pixels=0)
    return dict(protocol='p', images=[*rows, empty])


@pytest.mark.parametrize(
    'change, told',
    [
        (lambda c: c.update(images=3), 'images is 3, expected a list'),
        (lambda c: c['images'].append(5), r'images\[3\] is 5, expected a mapping'),
        (lambda c: c['images'][1].update(img_path='a'), 'has two images of one path'),
        (lambda c: c['images'][0].pop('rmse'), r'images\[0\]\.rmse is missing'),
        (
            lambda c: c['images'][0].update(delta1='x'),
            r"images\[0\]\.delta1 is 'x', expected a fin",
        ),
    ],
)
def test_edited_results_are_named(tmp_path, change, told):
    paths = [tmp_path / 'a.json', tmp_path / 'b.json']
    for path in paths:
        path.write_text(json.dumps(results()))
    assert compare_files(paths, ['x', 'y'], Bootstrap(100))[1]['y - x']['abs_rel'] == 0
    content = results()
    change(content)
    paths[1].write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf'b\.json.* ?{told}.*no results per image'):
        compare_files(paths, ['x', 'y'], Bootstrap(100))

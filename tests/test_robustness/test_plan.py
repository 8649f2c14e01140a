"""Plans of ablations: what they must say, and what is marked."""

import json
from dataclasses import replace

import pytest

from mmscd.robustness.plan import note_plan, read_plan

TEXT = """
question: Does the graph lower the excess on streets that took no part in any choice?
variants:
  base: [configs/monodepth2/monodepth2_r18_kitti-mini.py]
  graph: [configs/scd/scd_r18_kitti-mini.py, model.losses.texture=None]
seeds: [0, 1]
sets:
  development: [test_dataloader.dataset.data_root=a]
  object: []
seen: [development]
primary: excess
refuted_if: the interval of the excess holds 0 on object
"""


@pytest.fixture
def plan(tmp_path):
    (tmp_path / 'plan.yml').write_text(TEXT)
    return read_plan(tmp_path / 'plan.yml')


def test_a_plan_is_kept_and_told(plan, tmp_path):
    assert plan.variants[1][:2] == ['graph', 'configs/scd/scd_r18_kitti-mini.py']
    folder = tmp_path / 'work'
    told = note_plan(folder, plan, ['--severities', '3'], 0)
    text = '\n'.join(told)
    assert 'development (seen before), object' in text and 'seeds: 0, 1' in text
    assert 'refuted if: the interval' in text and 'PLAN' not in text
    (version,) = json.loads((folder / 'plan.json').read_text())['versions']
    assert version['hash'] in told[0] and version['date'] in told[0]
    assert version['content']['command'] == ['--severities', '3']
    stamp = (folder / 'plan.json').stat().st_mtime_ns
    assert note_plan(folder, plan, ['--severities', '3'], 4) == told
    assert (folder / 'plan.json').stat().st_mtime_ns == stamp
    with pytest.raises(ValueError, match='was begun with a plan: give it by --plan again'):
        note_plan(folder, None, [], 4)


def test_what_was_decided_late_is_marked(plan, tmp_path):
    note_plan(tmp_path, plan, [], 0)
    plan.seeds.append(2)
    # before there is a result a plan may be corrected
    assert 'PLAN' not in '\n'.join(note_plan(tmp_path, plan, [], 0))
    plan = replace(plan, primary='clean abs_rel', variants=plan.variants[::-1])
    text = '\n'.join(note_plan(tmp_path, plan, ['--amp'], 5))
    assert 'PLAN CHANGED AFTER 5 results' in text and text.endswith(': variants, primary, command')
    late = note_plan(tmp_path / 'late', plan, [], 3)
    assert late[-1] == 'PLAN WRITTEN AFTER 3 results'
    assert note_plan(tmp_path / 'none', None, [], 0)[0].startswith('no plan')
    assert not (tmp_path / 'none').exists()


@pytest.mark.parametrize(
    'old, new, told',
    [
        ('question:', 'questoin:', 'question is missing'),
        ('seen:', 'sene:', "unknown entry of .*plan.yml 'sene'"),
        ('[development]', '[develpment]', "unknown seen set in .*plan.yml 'develpment'"),
        ('primary: excess', 'primary: exces', "unknown primary measure in .*plan.yml 'exces'"),
        ('[0, 1]', '[0, x]', r"seeds\[1\] is 'x', expected a whole number"),
        ('object:', 'a/b:', "the set 'a/b' is the name of a folder"),
        ('object: []', 'object: 3', 'sets.object is 3, expected a list'),
        ('refuted_if', '- x', 'is not yaml'),
    ],
)
def test_an_incomplete_plan_is_one_sentence(tmp_path, old, new, told):
    path = tmp_path / 'plan.yml'
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(ValueError, match=rf'(?s){told}'):
        read_plan(path)

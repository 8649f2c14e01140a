"""The comparison of variants from its command line, on a tiny set."""

import json

import pytest
import torch

TOOL = 'tools/analysis_tools/run_ablation.py'


@pytest.mark.slow
def test_trains_judges_skips_and_refuses(tiny_config, run_tool, tmp_path):
    command = [
        TOOL, '--work-dir', tmp_path, '--seeds', '0', '1', '--corruptions', 'dark', 'contrast',
        '--severities', '3', '--options', 'train_cfg.max_iters=2',
        '--variant', 'base', tiny_config,
        '--variant', 'blurred', tiny_config, 'model.losses.smoothness.loss_weight=0.1',
    ]  # fmt: skip
    first = run_tool(*command)
    assert first.stdout.count('to train') == 4 and 'no plan' in first.stdout
    assert '2 seeds x 5 images' in first.stdout.split('== 4/4')[1]
    content = json.loads((tmp_path / 'ablation.json').read_text())
    results = content['sets']['test']
    assert [row['measure'] for row in results['paired']][-1] == 'excess share'
    assert list(results['summary']) == ['base', 'blurred']
    assert set(results['runs']['base']) == {'0', '1'}
    assert set(results['runs']['blurred']['1']) == {'clean', 'dark', 'contrast'}
    # the seeds and the variants are really different trainings
    clean = [results['runs'][v][s]['clean']['abs_rel'] for v in ('base', 'blurred') for s in '01']
    assert len(set(clean)) == 4
    checkpoint = tmp_path / 'base' / 'seed0' / 'iter_2.pth'
    made = checkpoint.stat().st_mtime_ns
    second = run_tool(*command)
    assert second.stdout.count('finished') == 4 and checkpoint.stat().st_mtime_ns == made
    assert json.loads((tmp_path / 'ablation.json').read_text()) == content
    command[command.index('train_cfg.max_iters=2')] = 'train_cfg.max_iters=3'
    refused = run_tool(*command, check=False)
    assert refused.returncode and 'holds another experiment' in refused.stderr


@pytest.mark.slow
def test_runs_that_share_their_beginning_are_those_trained_whole(
    tiny_scd_config, run_tool, tmp_path
):
    command = [
        TOOL, '--seeds', '0', '--corruptions', 'contrast', '--severities', '3',
        '--options', 'train_cfg.val_interval=4', '--variant', 'base', tiny_scd_config,
        'default_hooks.schedule.parts.graph.begin=100', '--variant', 'graph', tiny_scd_config,
        '--variant', 'weak', tiny_scd_config, 'model.distiller.losses.edge.loss_weight=0.01',
    ]  # fmt: skip
    env = {'OMP_NUM_THREADS': '1'}
    shared, whole = tmp_path / 'shared', tmp_path / 'whole'
    # beside one another, and one after the other
    run_tool(*command, '--work-dir', shared, '--shared-until', '2', '--jobs', '3', env=env)
    run_tool(*command, '--work-dir', whole, env=env)
    results = [json.loads((f / 'ablation.json').read_text()) for f in (shared, whole)]
    results = [content['sets']['test']['summary'] for content in results]
    assert results[0] == results[1] and list(results[0]) == ['base', 'graph', 'weak']
    for name in ('graph', 'weak'):
        one, other = (
            torch.load(f / name / 'seed0' / 'iter_4.pth', weights_only=True)['state_dict']
            for f in (shared, whole)
        )
        assert all(torch.equal(value, other[key]) for key, value in one.items())
    logs = [(f / 'graph' / 'seed0' / 'console.log').read_text() for f in (shared, whole)]
    assert ['Iter(train) [1/4]' in log for log in logs] == [False, True]
    assert all('Iter(train) [3/4]' in log for log in logs)
    refused = run_tool(*command, '--work-dir', whole, '--shared-until', '2', check=False)
    assert refused.returncode and 'holds another experiment' in refused.stderr
    # the files of the trunk are its own: no branch took or replaced its best checkpoint
    assert [len(list((shared / n / 'seed0').glob('best_*'))) for n in ('base', 'graph')] == [1, 0]


@pytest.mark.slow
def test_a_plan_says_what_runs_and_stands_above_the_tables(tiny_config, run_tool, tmp_path):
    plan, work = tmp_path / 'plan.yml', tmp_path / 'work'
    plan.write_text(
        f"""
question: Is less smoothness better?
variants:
  base: [{tiny_config}]
  rough: [{tiny_config}, model.losses.smoothness.loss_weight=0]
seeds: [0]
sets:
  near: ['test_dataloader.dataset.indices=2']
  all: []
seen: [near]
primary: excess
refuted_if: the interval of the excess holds 0 on all
"""
    )
    command = [
        TOOL, '--work-dir', work, '--plan', plan, '--corruptions', 'contrast',
        '--severities', '3', '--options', 'train_cfg.max_iters=2',
    ]  # fmt: skip
    run_tool(*command, '--dry-run')
    assert not (work / 'plan.json').exists()
    first = run_tool(*command, '--sets', 'near').stdout.split('== 2/2')[1]
    assert 'question: Is less smoothness better?' in first and '== near (seen before)' in first
    assert 'near (seen before): against base' in first and '1 seed x 2 images' in first
    assert 'excess *' in first and 'PLAN' not in first
    plan.write_text(plan.read_text().replace('primary: excess', 'primary: corrupted DEE'))
    second = run_tool(*command, '--by-corruption').stdout.split('== 2/2')[1]
    assert 'PLAN CHANGED AFTER 2 results' in second and 'corrupted DEE *' in second
    assert 'all: against base' in second and '1 seed x 5 images' in second
    sets = json.loads((work / 'ablation.json').read_text())['sets']
    assert list(sets) == ['near', 'all']
    assert [row['measure'] for row in sets['all']['paired']][-1] == 'contrast'
    for more, told in (
        (('--seeds', '0'), 'variants and seeds are those of'),
        (('--sets', 'far'), "unknown set of the plan 'far'"),
    ):
        refused = run_tool(*command, *more, check=False)
        assert told in refused.stderr and 'Traceback' not in refused.stderr
    # a set that hits nothing in the config is told before the first training
    plan.write_text(plan.read_text().replace('test_dataloader', 'test_dataloder'))
    refused = run_tool(*command, check=False)
    assert 'test_dataloder' in refused.stderr and 'Traceback' not in refused.stderr


@pytest.mark.slow
def test_a_failed_training_loses_no_other(tiny_config, run_tool, tmp_path):
    """A mistake that only the training finds; the same command tries it again."""
    command = [
        TOOL, '--work-dir', tmp_path, '--seeds', '0', '--corruptions', 'dark', '--severities', '3',
        '--options', 'train_cfg.max_iters=2', '--jobs', '2', '--variant', 'base', tiny_config,
        '--variant', 'bad', tiny_config, 'optim_wrapper.optimizer.lr=-1',
        '--variant', 'good', tiny_config, 'model.losses.smoothness.loss_weight=0.1',
    ]  # fmt: skip
    for _ in range(2):
        result = run_tool(*command, check=False)
        assert result.returncode and '1 of 3 runs failed' in result.stderr
        assert 'bad, seed 0: tools/train.py' in result.stderr and 'Traceback' not in result.stderr
        log = (tmp_path / 'bad' / 'seed0' / 'console.log').read_text()
        assert 'Invalid learning rate: -1' in log
        content = json.loads((tmp_path / 'ablation.json').read_text())
        assert list(content['sets']['test']['summary']) == ['base', 'good']


def test_what_cannot_share_its_beginning_is_refused(tiny_config, run_tool, tmp_path):
    base = [TOOL, '--work-dir', tmp_path, '--dry-run', '--variant', 'base', tiny_config]
    for until in ('1', '3', '4', '8', '-2', '0'):
        result = run_tool(*base, '--shared-until', until, check=False)
        assert f'--shared-until {until}: of the 4 iterations' in result.stderr
    assert 'checkpoints [2, 4] remain' in result.stderr
    for option in ('optim_wrapper.optimizer.lr=0.1', 'param_scheduler=None'):
        other = ('--variant', 'other', tiny_config, option, '--shared-until', '2')
        result = run_tool(*base, *other, check=False)
        assert option.split('.')[0].split('=')[0] + ' of other differs' in result.stderr
    assert 'to train' in run_tool(*base, '--shared-until', '2').stdout
    for options, text in (
        (('--seeds', '0', '0'), '--seeds must differ'),
        (('--variant', 'base', tiny_config), 'variant base: names must differ'),
        (('--variant', 'other'), '--variant takes NAME CONFIG'),
        (('--variants', 'graf', '--', tiny_config), 'unknown variant'),
    ):
        refused = run_tool(*base, *options, check=False)
        assert text in refused.stderr and 'Traceback' not in refused.stderr


def test_variants_of_a_config_come_from_the_table(run_tool, tmp_path):
    config, table = 'configs/scd/scd_r18_kitti-mini.py', tmp_path / 'mine.yml'
    command = (TOOL, config, '--work-dir', tmp_path, '--dry-run', '--seeds', '3', '--variants')

    def planned(*more):
        lines = run_tool(*command, *more).stdout.splitlines()
        return [line for line in lines if 'seed 3' in line]

    assert planned('baseline', 'structure-graph') == [
        'baseline, seed 3: to train', 'structure-graph, seed 3: to train',
    ]  # fmt: skip
    table.write_text('short: [train_cfg.max_iters=2]\nfull: []\n')
    (tmp_path / 'short/seed3').mkdir(parents=True)
    (tmp_path / 'short/seed3/iter_2.pth').touch()
    assert planned('full', 'short', '--table', table) == [
        'full, seed 3: to train', 'short, seed 3: finished',
    ]  # fmt: skip
    assert 'there is no variant' in run_tool(*command[:-1], check=False).stderr

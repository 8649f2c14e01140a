"""The comparison of variants from its command line, on a tiny set."""

import json

import pytest

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
    assert first.stdout.count('to train') == 4 and 'excess error' in first.stdout
    results = json.loads((tmp_path / 'ablation.json').read_text())
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
    assert json.loads((tmp_path / 'ablation.json').read_text()) == results
    command[command.index('train_cfg.max_iters=2')] = 'train_cfg.max_iters=3'
    refused = run_tool(*command, check=False)
    assert refused.returncode and 'holds another experiment' in refused.stderr

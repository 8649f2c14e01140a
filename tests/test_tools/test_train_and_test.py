"""The command lines of training and evaluation, as a user calls them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
# sums depend on the number of threads in the last bit; torchrun sets one, so comparisons do too
ONE_THREAD = {'OMP_NUM_THREADS': '1'}


def load(path):
    return torch.load(path, map_location='cpu', weights_only=True)


def losses(checkpoint):
    """Every training loss so far, as the run's message hub recorded them."""
    return checkpoint['message_hub']['log_scalars']['train/loss']['log_history']


def furthest(a, b):
    """Largest difference of two state dicts."""
    return max((a[k].double() - b[k].double()).abs().max().item() for k in a)


@pytest.fixture(scope='module')
def trained(tiny_config, run_tool, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('trained')
    run_tool('tools/train.py', tiny_config, '--work-dir', work_dir)
    return work_dir


def test_train_leaves_checkpoints_pictures_and_best(trained):
    checkpoint = load(trained / 'iter_4.pth')
    assert checkpoint['meta']['iter'] == 4
    assert len(losses(checkpoint)) == 4
    assert len(list(trained.glob('best_abs_rel_iter_*.pth'))) == 1
    assert len(list((trained / 'vis' / 'iter_4').glob('*.jpg'))) == 5
    assert not list(trained.glob('.*pth*')), 'temporary files were left'


def test_test_writes_metrics_and_pictures(trained, tiny_config, run_tool, tmp_path):
    out, show = tmp_path / 'metrics.json', tmp_path / 'show'
    args = ('--work-dir', tmp_path / 'w', '--out', out, '--show-dir', show)
    result = run_tool('tools/test.py', tiny_config, trained / 'iter_4.pth', *args)
    metrics = json.loads(out.read_text())
    assert metrics['n_images'] == 5
    assert 0 < metrics['abs_rel'] < 10
    assert len(list(show.iterdir())) == 5
    assert 'abs_rel' in result.stdout + result.stderr
    flipped = tmp_path / 'tta.json'
    run_tool(
        'tools/test.py', tiny_config, trained / 'iter_4.pth', '--out', flipped, '--tta',
        '--work-dir', tmp_path / 'w',
    )  # fmt: skip
    assert json.loads(flipped.read_text())['abs_rel'] != metrics['abs_rel']


def test_automatic_precision(trained, tiny_config, tmp_path, monkeypatch):
    from tools import test

    monkeypatch.setattr('mmscd.models.precision.PATIENCE', 0)
    found = {}
    for precision in ('float32', 'auto'):
        out, log = tmp_path / f'{precision}.json', tmp_path / precision
        test.main(
            [str(tiny_config), str(trained / 'iter_4.pth'), '--precision', precision]
            + ['--out', str(out), '--work-dir', str(log)]
        )
        found[precision] = json.loads(out.read_text())
        said = ''.join(path.read_text() for path in log.glob('*/*.log'))
        assert said.count(' precision: ') == (precision == 'auto')
    assert found['auto'] == pytest.approx(found['float32'], abs=5e-4)


def test_two_test_processes_give_the_metrics_of_one(trained, tiny_config, run_tool, tmp_path):
    results = []
    for count in (1, 2):
        out = tmp_path / f'{count}.json'
        run_tool(
            'bash', 'tools/dist_test.sh', tiny_config, trained / 'iter_4.pth', count,
            '--out', out, '--work-dir', tmp_path / 'w',
        )  # fmt: skip
        results.append(json.loads(out.read_text()))
    for key in ('abs_rel', 'rmse', 'delta1', 'n_images'):
        assert results[0][key] == pytest.approx(results[1][key], rel=1e-5)


def test_missing_checkpoint_is_named(tiny_config, run_tool, tmp_path):
    result = run_tool(
        'tools/test.py', tiny_config, 'nowhere.pth', '--work-dir', tmp_path, check=False
    )
    assert result.returncode != 0
    assert 'nowhere.pth' in result.stderr


def test_amp_and_no_validate(tiny_config, run_tool, tmp_path):
    run_tool('tools/train.py', tiny_config, '--work-dir', tmp_path, '--amp', '--no-validate')
    checkpoint = load(tmp_path / 'iter_4.pth')
    assert checkpoint['state_dict']['backbone.conv1.weight'].dtype == torch.float32
    assert not (tmp_path / 'vis').exists()


def test_tensorboard_by_config(tiny_config, run_tool, tmp_path):
    leaf = tmp_path / 'leaf.py'
    backends = "[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]"
    leaf.write_text(f"_base_ = ['{tiny_config}']\nvisualizer = dict(vis_backends={backends})\n")
    options = ('--no-validate', '--cfg-options', 'train_cfg.max_iters=2')
    run_tool('tools/train.py', leaf, '--work-dir', tmp_path / 'w', *options)
    assert list((tmp_path / 'w').rglob('events.out.tfevents*'))
    assert list((tmp_path / 'w').rglob('scalars.json'))


@pytest.mark.slow
@pytest.mark.parametrize('name, middle', [('tiny_config', 30), ('tiny_scd_config', 10)])
def test_resume_after_a_kill_is_exact(name, middle, request, run_tool, tmp_path):
    """60 iterations equal 30 + something lost to SIGKILL + the rest, to the last bit."""
    config = request.getfixturevalue(name)
    options = ('--no-validate', '--cfg-options', f'train_cfg.max_iters={2 * middle}')
    options += (f'default_hooks.checkpoint.interval={middle}',)
    whole_dir = tmp_path / 'whole'
    run_tool('tools/train.py', config, '--work-dir', whole_dir, *options, env=ONE_THREAD)
    command = [sys.executable, 'tools/train.py', str(config), '--work-dir']
    command += [str(tmp_path / 'killed'), *options]
    with open(tmp_path / 'log', 'w') as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=log, stderr=log, env=os.environ | ONE_THREAD
        )
        while not (tmp_path / 'killed' / f'iter_{middle}.pth').exists():
            assert process.poll() is None, (tmp_path / 'log').read_text()[-2000:]
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    last = f'iter_{2 * middle}.pth'
    assert not (tmp_path / 'killed' / last).exists()
    resume = ('--work-dir', tmp_path / 'killed', '--resume', *options)
    run_tool('tools/train.py', config, *resume, env=ONE_THREAD)
    whole, resumed = (load(tmp_path / folder / last) for folder in ('whole', 'killed'))
    assert len(losses(whole)) == 2 * middle
    assert losses(resumed)[middle:] == losses(whole)[middle:]
    for name, value in whole['state_dict'].items():
        assert torch.equal(value, resumed['state_dict'][name]), name


@pytest.mark.slow
@pytest.mark.parametrize('name', ['tiny_config', 'tiny_scd_config'])
def test_two_processes_equal_one(name, request, run_tool, tmp_path):
    """Batch 2 on each of two gloo processes gives the parameters of batch 4 on one, 5 steps; with
    the baseline, the two share a folder of packed frames, which they begin with."""
    config = request.getfixturevalue(name)
    frozen = ('model.backbone.norm_eval=True', 'model.pose_net.encoder.norm_eval=True')
    common = ('--no-validate', '--cfg-options', 'train_cfg.max_iters=5', *frozen)
    common += ('default_hooks.checkpoint.max_keep_ckpts=5',)
    common += ('default_hooks.checkpoint.interval=1',)
    # The losses have kinks (minima, masks, absolute values) that rounding carries single pixels
    # over. Plain SGD keeps that in proportion; Adam divides by the gradient's size and would
    # make whole steps of it
    common += ('optim_wrapper.optimizer.type=SGD', 'optim_wrapper.optimizer.lr=0.05')
    run_tool(
        'tools/train.py', config, '--work-dir', tmp_path / 'one', *common,
        'train_dataloader.batch_size=4', env=ONE_THREAD,
    )  # fmt: skip
    packed, frames = tmp_path / 'packed', 'train_dataloader.dataset'
    if name == 'tiny_config':
        common += (f'{frames}.packed={packed}', f'{frames}.on_device=True')
    run_tool(
        'bash', 'tools/dist_train.sh', config, 2, '--work-dir', tmp_path / 'two', *common,
        env=ONE_THREAD,
    )  # fmt: skip
    assert (packed / 'index.json').is_file() == (name == 'tiny_config')
    one, two = (load(tmp_path / name / 'iter_5.pth')['state_dict'] for name in ('one', 'two'))
    assert one.keys() == two.keys()
    first = load(tmp_path / 'one' / 'iter_1.pth')['state_dict']
    assert furthest(one, first) > 2e-4, 'nothing was trained'
    assert furthest(one, two) < 1e-5

"""Trainings that are struck, and what they leave."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
# small checkpoints: no state of the optimizer
OPTIONS = ['--cfg-options', 'optim_wrapper.optimizer.type=SGD', 'train_cfg.val_interval=2']
OPTIONS += ['default_hooks.checkpoint.max_keep_ckpts=1', 'default_hooks.checkpoint.interval=2']
# each validation is the best: what a step of SGD changes makes it worse
OPTIONS += ['default_hooks.visualization.max_images=1', 'default_hooks.checkpoint.rule=greater']


@pytest.fixture(scope='session')
def train(tiny_config, tmp_path_factory):
    """Does trainings of 4 iterations one after the other; their exit statuses and output."""
    folder = tmp_path_factory.mktemp('trainings')

    def run(*runs):
        output = folder / 'output'
        output.unlink(missing_ok=True)
        for run in runs:
            args = [str(tiny_config), '--work-dir', str(run.pop('folder')), '--resume']
            run.update(args=args + OPTIONS + run.pop('more', []), output=str(output))
        (folder / 'runs.json').write_text(json.dumps(runs))
        command = [sys.executable, HERE / 'killing.py', folder / 'runs.json']
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1]), output.read_text()

    return run


@pytest.fixture(scope='session')
def whole(train, tmp_path_factory):
    """The folder of such a training that nothing struck."""
    folder = tmp_path_factory.mktemp('whole')
    statuses, output = train(dict(folder=folder))
    assert statuses == [0], output[-3000:]
    return folder


def holds(folder):
    """Files of a work dir, without the logs of each start."""
    files = (file.relative_to(folder) for file in folder.rglob('*') if file.is_file())
    return sorted(str(f) for f in files if not re.match(r'\d{8}_\d{6}', f.parts[0]))


def validations(folder):
    """What each start logged of its validations, by iteration."""
    found = {}
    for file in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in map(json.loads, file.read_text().splitlines()):
            if 'abs_rel' in line:
                numbers = {k: v for k, v in line.items() if 'time' not in k}
                assert found.setdefault(line['step'], numbers) == numbers
    return found


def weights(folder, name='iter_4.pth'):
    return torch.load(folder / name, weights_only=True)


def losses(checkpoint):
    return checkpoint['message_hub']['log_scalars']['train/loss']['log_history']


@pytest.fixture(scope='session')
def same_folder():
    """Fails where a folder differs from that of an unkilled run."""
    return check_same


def check_same(folder, whole):
    assert holds(folder) == holds(whole)
    assert validations(folder) == validations(whole)
    one, other = weights(folder), weights(whole)
    assert losses(one) == losses(other) and len(losses(one)) == 4
    for key, value in other['state_dict'].items():
        assert torch.equal(one['state_dict'][key], value), key
    for name in ('best_score', 'keep_ckpt_ids', 'superseded'):
        assert (
            one['message_hub']['runtime_info'][name] == other['message_hub']['runtime_info'][name]
        )

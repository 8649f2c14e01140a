"""From a config and the options of the command line to a Runner."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import get_dist_info
from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmscd.engine import find_latest_checkpoint
from mmscd.utils import compat

# of which mmengine itself takes None for off
MMENGINE_HOOKS = (
    'runtime_info',
    'timer',
    'sampler_seed',
    'logger',
    'param_scheduler',
    'checkpoint',
)


def set_amp(cfg: Config) -> None:
    """Mixed precision: mmengine's AmpOptimWrapper on CUDA, bfloat16 networks on the CPU, where
    AmpOptimWrapper refuses to work."""
    if torch.cuda.is_available():
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.loss_scale = 'dynamic'
    else:
        cfg.model.network_dtype = 'bfloat16'
        cfg.model.channels_last = True


def scale_schedule(cfg: Config, total_batch: int) -> None:
    """Fit learning rate and number of iterations to another total batch: the linear scaling rule.

    The number of epochs stays what the config's `auto_scale_lr.base_batch_size` was tuned for:
    twice the batch means twice the learning rate and half the iterations.

    Args:
        cfg: changed in place.
        total_batch: samples per step over all processes.

    Raises:
        ValueError: the config names no `auto_scale_lr.base_batch_size`.
    """
    base = cfg.get('auto_scale_lr', {}).get('base_batch_size')
    if not base:
        raise ValueError(
            '--auto-scale-lr needs auto_scale_lr = dict(base_batch_size=...) in the config'
        )
    factor = total_batch / base
    cfg.optim_wrapper.optimizer.lr *= factor
    cfg.train_cfg.max_iters = _shrink(cfg.train_cfg.max_iters, factor)
    cfg.train_cfg.val_interval = _shrink(cfg.train_cfg.val_interval, factor)
    checkpoint = cfg.default_hooks.checkpoint
    checkpoint.interval = _shrink(checkpoint.interval, factor)
    schedules = [cfg.default_hooks.get('distill') or {}]
    schedules += (cfg.default_hooks.get('loss_schedule') or dict(losses={}))['losses'].values()
    for schedule in schedules:
        for key in ('begin', 'ramp', 'end'):
            if schedule.get(key):
                schedule[key] = _shrink(schedule[key], factor)
    for scheduler in cfg.get('param_scheduler') or []:
        if scheduler.get('by_epoch', True):
            continue
        for key in ('begin', 'end', 'T_max', 'step_size'):
            if isinstance(scheduler.get(key), int) and scheduler[key] > 0:
                scheduler[key] = _shrink(scheduler[key], factor)
        if 'milestones' in scheduler:
            scheduler.milestones = [_shrink(m, factor) for m in scheduler.milestones]


def _shrink(iterations: int, factor: float) -> int:
    return max(1, round(iterations / factor))


def resolve_resume(cfg: Config, resume: str | None) -> None:
    """Set `resume` and `load_from` from `--resume`.

    Args:
        cfg: changed in place; has a `work_dir`.
        resume: None, `auto` (the newest whole checkpoint of the work dir, or a fresh start where
            there is none) or a path.
    """
    if resume is None:
        return
    path = find_latest_checkpoint(cfg.work_dir) if resume == 'auto' else Path(resume)
    if path is None:
        print_log(f'No checkpoint in {cfg.work_dir}: training starts anew', logger='current')
        return
    if not path.is_file():
        raise FileNotFoundError(f'--resume: there is no checkpoint {path}')
    cfg.resume, cfg.load_from = True, str(path)


def default_work_dir(cfg: Config, config_path: str, work_dir: str | None) -> str:
    """`--work-dir`, else the config's `work_dir`, else `work_dirs/<name of the config>`."""
    return work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(config_path).stem)


def build_runner(cfg: Config, launcher: str = 'none') -> Runner:
    """A Runner for the machine at hand.

    Args:
        cfg: complete config with a `work_dir`.
        launcher: `none`, `pytorch`, `slurm` or `mpi`.
    """
    cfg.launcher = launcher
    compat.prepare_cpu_distributed(cfg, launcher)
    if launcher == 'none' or not torch.cuda.is_available():
        cfg.sync_bn = None
    if not torch.cuda.is_available():
        for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            if cfg.get(name):
                cfg[name].pin_memory = False  # torch warns in every worker otherwise
    # a leaf switches a hook off by None, which mmengine takes for its own hooks only
    for name, hook in list(cfg.default_hooks.items()):
        if hook is None and name not in MMENGINE_HOOKS:
            cfg.default_hooks.pop(name)
    if 'runner_type' in cfg:
        return RUNNERS.build(cfg)
    return Runner.from_cfg(cfg)


def check_batch(cfg: Config, launcher: str, auto_scale_lr: bool) -> None:
    """Scale the schedule if asked to; say so if the total batch is not the config's."""
    base = cfg.get('auto_scale_lr', {}).get('base_batch_size')
    world_size = get_dist_info()[1]
    if launcher != 'none' and world_size == 1:
        world_size = _world_size_of_environment()
    total = cfg.train_dataloader.batch_size * world_size
    if auto_scale_lr:
        scale_schedule(cfg, total)
    elif base and total != base:
        print_log(
            f'The schedule was made for a total batch of {base}, this run has {total}: it sees '
            f'{total / base:g} times the epochs. --auto-scale-lr scales learning rate and length.',
            logger='current',
        )


def _world_size_of_environment() -> int:
    """Number of processes before the process group exists."""
    import os

    return int(os.environ.get('WORLD_SIZE') or os.environ.get('SLURM_NTASKS') or 1)

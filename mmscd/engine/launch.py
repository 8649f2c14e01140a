"""From a config and the options of the command line to a Runner."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import get_dist_info
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn

from mmscd.engine.optimizers import keep_form
from mmscd.engine.prefetcher import Prefetcher
from mmscd.engine.run_folder import find_latest_checkpoint, hold_folder, numbered_checkpoints
from mmscd.engine.schedules import refuse_old_keys, scale_schedule
from mmscd.engine.step_graph import use_step_graph
from mmscd.models import loading
from mmscd.models.model_names import describe
from mmscd.utils import compat
from mmscd.utils.config import MMENGINE_HOOKS
from mmscd.utils.files import check_writable


def set_amp(cfg: Config, cuda_graph: bool | str | None = None) -> None:
    """Mixed precision: mmengine's AmpOptimWrapper on CUDA, bfloat16 networks on the CPU, where
    AmpOptimWrapper refuses to work, and where `model.cuda_graph` is True (or an option makes it
    `cuda_graph`), since a graph cannot hold it."""
    graph = cfg.model.get('cuda_graph') if cuda_graph is None else cuda_graph
    if torch.cuda.is_available() and graph is not True:
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.loss_scale = 'dynamic'
    else:
        cfg.model.network_dtype = 'bfloat16'
        cfg.model.channels_last = True


def resolve_resume(cfg: Config, resume: str | None) -> None:
    """Set `resume` and `load_from` of a config with a `work_dir` from `--resume`: None, `auto` (the
    newest whole checkpoint of the work dir, or a fresh start where there is none) or a path."""
    if resume is None:
        return
    path = find_latest_checkpoint(cfg.work_dir) if resume == 'auto' else Path(resume)
    if path is None:
        kind = 'whole checkpoint' if numbered_checkpoints(cfg.work_dir) else 'checkpoint'
        print_log(f'No {kind} in {cfg.work_dir}: training starts anew', logger='current')
        return
    if not path.is_file():
        raise FileNotFoundError(f'--resume: there is no checkpoint {path}')
    cfg.resume, cfg.load_from = True, str(path)


def hold_work_dir(cfg: Config, launcher: str) -> AbstractContextManager:
    """A context in which no other training uses the `work_dir` of a config; of several processes
    the first one sees to it. OSError: it cannot be written to; RuntimeError: it is in use."""
    ranks = dict(pytorch='RANK', slurm='SLURM_PROCID', mpi='OMPI_COMM_WORLD_RANK')
    if int(os.environ.get(ranks.get(launcher, ''), 0)):
        return nullcontext()
    check_writable(cfg.work_dir)
    return hold_folder(cfg.work_dir)


def default_work_dir(cfg: Config, config_path: str, work_dir: str | os.PathLike | None) -> str:
    """`--work-dir`, else the config's `work_dir`, else `work_dirs/<name of the config>`."""
    return str(work_dir or cfg.get('work_dir') or Path('work_dirs') / Path(config_path).stem)


class DepthRunner(Runner):
    """mmengine's Runner, whose weights come through `models.loading` and fit.

    mmengine itself loads what happens to have the right name and only logs the rest.
    """

    def train(self) -> nn.Module:
        """mmengine's; a FloatingPointError says in which iteration, and from where to go on."""
        try:
            return super().train()
        except FloatingPointError as error:
            last = find_latest_checkpoint(self.work_dir)
            mend = f'go on from {last} (--resume auto)' if last else 'start anew'
            mend = f'{mend} with a lower learning rate (optim_wrapper.optimizer.lr)'
            raise FloatingPointError(f'iteration {self.iter + 1}: {error}; {mend}') from error

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """mmengine's; ValueError where the state of optimizer or schedulers is of another shape."""
        try:
            super().resume(filename, *args, **kwargs)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            if str(filename) in str(error):
                raise
            raise ValueError(
                f'{filename} holds no state that this training can go on from '
                f'({type(error).__name__}: {error}): take an older iter_N.pth'
            ) from error

    def load_checkpoint(
        self, filename: str, map_location: Any = 'cpu', *_: Any, **__: Any
    ) -> dict[str, Any]:
        """Weights to start a training from (`load_from`), or to go on with it (`resume`); raises
        what `loading.load_weights` does."""
        checkpoint = loading.read_checkpoint(filename, map_location)
        if not isinstance(checkpoint, dict) or 'state_dict' not in checkpoint:
            checkpoint = dict(state_dict=checkpoint)
        meta = checkpoint.get('meta')
        meta = checkpoint['meta'] = meta if isinstance(meta, dict) else {}  # as hooks expect it
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        network = self.model.module if is_model_wrapper(self.model) else self.model
        need = 'all' if self._resume else 'training'
        loading.load_weights(network, checkpoint, need, describe(self.cfg), str(filename))
        counts = isinstance(meta.get('epoch'), int) and isinstance(meta.get('iter'), int)
        counts = counts and isinstance(checkpoint.get('param_schedulers', []), (list, dict))
        if self._resume and not (counts and isinstance(checkpoint.get('message_hub'), dict)):
            raise ValueError(
                f'{filename} holds weights without the state of a training: --resume takes an '
                'iter_N.pth; to begin with these weights give --cfg-options load_from=...'
            )
        self._has_loaded = True
        return checkpoint

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """mmengine's; the optimizer takes checkpoints of one in another form, see `keep_form`."""
        wrapper = super().build_optim_wrapper(optim_wrapper)
        if isinstance(wrapper, OptimWrapper):
            keep_form(wrapper.optimizer)
        return wrapper

    def build_train_loop(self, loop: Any) -> Any:
        """mmengine's, with batches that are on the GPU in time."""
        loop = super().build_train_loop(loop)
        batches = getattr(loop, 'dataloader_iterator', None)
        if torch.cuda.is_available() and batches and not isinstance(batches, Prefetcher):
            device = torch.device('cuda', torch.cuda.current_device())
            loop.dataloader_iterator = Prefetcher(batches, device)
        return loop

    @staticmethod
    def build_dataloader(dataloader: Any, *args: Any, **kwargs: Any) -> Any:
        """A data loader that the machine can run, whose data set may make whole batches. Its
        workers outlive signals to the group: a terminal, torchrun and Slurm send them to all, and
        only the main process knows what is to be saved first."""
        if isinstance(dataloader, dict):
            dataloader = _fit_loader(dataloader)
        loader = Runner.build_dataloader(dataloader, *args, **kwargs)
        loader.worker_init_fn = partial(_leave_group, loader.worker_init_fn)
        loader.collate_fn = partial(_collate, loader.collate_fn)
        return loader


def _collate(then: Callable[[Any], Any], samples: Any) -> Any:
    return samples if isinstance(samples, dict) else then(samples)


def _leave_group(then: Callable[[int], None] | None, worker: int) -> None:
    os.setpgrp()
    if then:
        then(worker)


def build_runner(
    cfg: Config, launcher: str = 'none', network: nn.Module | None = None
) -> DepthRunner:
    """A Runner for the machine at hand, of a complete config with a `work_dir` and of a network
    with its weights; None: built of `cfg.model`."""
    refuse_old_keys(cfg)
    cfg.launcher = launcher
    compat.prepare_cpu_distributed(cfg, launcher)
    if launcher == 'none' or not torch.cuda.is_available():
        cfg.sync_bn = None
    # a leaf switches a hook off by None, which mmengine takes for its own hooks only
    for name, hook in list(cfg.default_hooks.items()):
        if hook is None and name not in MMENGINE_HOOKS:
            cfg.default_hooks.pop(name)
    runner = (DepthRunner if network is None else _runner_of(network)).from_cfg(cfg)
    use_step_graph(runner.model)
    return runner


def _runner_of(network: nn.Module) -> type[DepthRunner]:
    class LoadedRunner(DepthRunner):
        def build_model(self, model: Any) -> nn.Module:
            return network

        def load_or_resume(self) -> None:
            self.logger.info(f'Weights of {self._load_from}')

    return LoadedRunner


def _fit_loader(loader: dict) -> dict:
    """A data loader's config without what the machine, the number of workers or frames on the
    device refuse."""
    loader = copy.copy(loader)
    if on_device := _on_device(loader.get('dataset')):
        loader['num_workers'] = 0
    if on_device or not torch.cuda.is_available():
        loader['pin_memory'] = False  # torch warns in every worker otherwise
    if not loader.get('num_workers'):
        loader['persistent_workers'] = False
        for key in ('prefetch_factor', 'timeout', 'multiprocessing_context'):
            loader.pop(key, None)
    return loader


def _on_device(dataset: Any) -> bool:
    """Whether a data set's config, or one that it wraps, keeps frames on the device."""
    if isinstance(dataset, (list, tuple)):
        return any(map(_on_device, dataset))
    if not isinstance(dataset, dict):
        return False
    inner = (dataset.get(key) for key in ('dataset', 'datasets'))
    return bool(dataset.get('on_device')) or any(map(_on_device, inner))


def draw_to(cfg: Config, folder: str | os.PathLike) -> None:
    """Let a test write pictures to a folder, also where the config has switched them off."""
    hook = cfg.default_hooks.get('visualization') or dict(type='DepthVisualizationHook')
    cfg.default_hooks.visualization = dict(hook, show_dir=str(folder))


def load_for_test(cfg: Config, checkpoint: str) -> nn.Module:
    """The network that a config's test set is to be evaluated with, for `build_runner`; the config
    loses what only training needs. Raises what `loading.load_model` does."""
    evaluators = cfg.get('test_evaluator')
    if not (evaluators and cfg.get('test_dataloader')):
        raise ValueError(f'{describe(cfg)} has no test_dataloader and test_evaluator to test with')
    evaluators = evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]
    poses = any('PoseMetric' in str(entry.get('type')) for entry in evaluators if entry)
    need = 'depth+pose' if poses else 'depth'
    network = loading.load_model(cfg, checkpoint, need, 'cpu')
    cfg.load_from, cfg.resume = str(checkpoint), False
    for name in ('distill', 'schedule'):  # they drive what is not there
        cfg.default_hooks.pop(name, None)
    return network


def check_batch(cfg: Config, launcher: str, auto_scale_lr: bool) -> None:
    """Scale the schedule if asked to; say so if the total batch is not the config's."""
    base = cfg.get('auto_scale_lr', {}).get('base_batch_size')
    world_size = get_dist_info()[1]
    if launcher != 'none' and world_size == 1:  # before the process group exists
        world_size = int(os.environ.get('WORLD_SIZE') or os.environ.get('SLURM_NTASKS') or 1)
    total = cfg.train_dataloader.batch_size * world_size
    if auto_scale_lr:
        scale_schedule(cfg, total)
    elif base and total != base:
        print_log(
            f'The schedule was made for a total batch of {base}, this run has {total}: it sees '
            f'{total / base:g} times the epochs. --auto-scale-lr scales learning rate and length.',
            logger='current',
        )

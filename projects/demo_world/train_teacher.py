"""Trains a semantic teacher on labelled drives with mmseg; about two minutes for the demo world.

Example:
    python projects/demo_world/train_teacher.py --amp
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

from mmscd.utils.command_line import make_parser, output_folder, run_tool
from mmscd.utils.config import load_config
from mmscd.utils.files import atomic_write

CONFIG = Path(__file__).resolve().parent / 'configs' / 'teacher_fpn_r18_demo.py'
WEIGHTS = 'teacher.pth'
RECIPE = 'recipe.py'
# what a teacher depends on; a work dir belongs to one recipe
RECIPE_KEYS = ('model', 'train_dataloader', 'optim_wrapper', 'param_scheduler', 'train_cfg')


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    from mmscd.utils.option_action import OptionAction

    parser = make_parser(__doc__)
    parser.add_argument('--config', default=str(CONFIG), help='mmseg config')
    parser.add_argument(
        '--work-dir', type=output_folder, default='work_dirs/demo_teacher', help='output folder'
    )
    parser.add_argument('--amp', action='store_true', help='bfloat16 networks')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, help='key=value overrides')
    return parser


def check_recipe(work_dir: Path, cfg: Any) -> None:
    """Record what the folder's teacher is made by, or refuse to mix two recipes.

    Raises:
        FileExistsError: the folder belongs to another recipe.
    """
    from mmengine.config import Config

    wanted = Config({key: cfg[key].copy() for key in RECIPE_KEYS}).pretty_text
    path = work_dir / RECIPE
    if not path.is_file():
        atomic_write(path, wanted.encode())
    elif path.read_text(encoding='utf-8') != wanted:
        raise FileExistsError(
            f'{work_dir} holds a teacher made otherwise ({path} differs from the config); delete '
            'that folder or choose another --work-dir'
        )


def build_runner(cfg: Any) -> Any:
    """mmengine's Runner, which goes on from the newest whole checkpoint of the work dir."""
    import torch

    from mmscd.engine import launch

    launch.resolve_resume(cfg, 'auto')
    runner = launch.build_runner(cfg)
    # in this order convolutions in bfloat16 are faster
    runner.model.to(memory_format=torch.channels_last)
    return runner


def save_weights(runner: Any, path: Path) -> None:
    """Write weights and class names, without the optimizer, whole or not at all."""
    import torch

    meta = dict(
        epoch=runner.epoch,
        dataset_meta=dict(classes=list(runner.train_dataloader.dataset.metainfo['classes'])),
    )
    state = {k: v.cpu().contiguous() for k, v in runner.model.state_dict().items()}
    stream = io.BytesIO()
    torch.save(dict(meta=meta, state_dict=state), stream)
    atomic_write(path, stream.getvalue())


def run(args: argparse.Namespace) -> None:
    """Trains, evaluates on streets that were not trained on, and writes the weights."""
    cfg = load_config(args.config, args.cfg_options)
    cfg.work_dir = str(args.work_dir)
    if args.amp:
        cfg.optim_wrapper.type = 'BFloat16OptimWrapper'
    weights = args.work_dir / WEIGHTS
    check_recipe(args.work_dir, cfg)
    if weights.is_file():
        print(f'{weights} is already complete')
        return
    from mmengine.registry import DefaultScope

    # mmseg's parts are found in its own scope only
    with DefaultScope.overwrite_default_scope('mmseg'):
        runner = build_runner(cfg)
        runner.train()
        scores = runner.test()
    save_weights(runner, weights)
    print(f'test streets: pixel accuracy {scores["aAcc"]:.1f} %, mean IoU {scores["mIoU"]:.1f} %')
    print(f'teacher: {weights}; what it sees: {args.work_dir}/test_predictions.png')


def main(argv: list[str] | None = None) -> None:
    """Runs the command line."""
    run_tool(build_parser(), run, argv)


if __name__ == '__main__':
    main()

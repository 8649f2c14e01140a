"""The corruption benchmark (KITTI-C) in one command: nothing to download, seeded, resumable.

Examples::

    python tools/analysis_tools/test_robustness.py CONFIG CHECKPOINT --out work_dirs/robustness
    python tools/analysis_tools/test_robustness.py CONFIG CHECKPOINT --name scd \
        --compare base=configs/monodepth2/monodepth2_r18_kitti.py,base.pth --baseline base
    torchrun --nproc-per-node 4 tools/analysis_tools/test_robustness.py CONFIG CHECKPOINT \
        --launcher pytorch

Each image is decoded once; 18 corruptions x 5 severities and the clean images run through the
network. Every finished pass is kept in OUT: the same command goes on where it was interrupted.
Metrics and data are those of the config's test_evaluator and test_dataloader.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path

import cv2
import torch

from mmscd.corruptions import CORRUPTIONS, SEVERITIES
from mmscd.robustness.benchmark import Contestant, RobustnessOptions, load_contestant, run_passes
from mmscd.robustness.chart import example_sheet
from mmscd.robustness.examples import predict_examples
from mmscd.robustness.scores import (
    MONODEPTH2_DEE,
    PUBLISHED_BASELINE,
    average_severities,
    score_robustness,
)
from mmscd.robustness.tables import (
    describe_speed,
    make_comparison_table,
    make_corruption_table,
    write_robustness,
)
from mmscd.utils.command_line import check_writable, parse_model
from mmscd.utils.files import atomic_write
from mmscd.visualization.charts import bar_chart
from mmscd.visualization.rendering import save_image


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='path, or package::path')
    parser.add_argument('checkpoint', help='path')
    parser.add_argument('--name', help="the model's name; default: that of the config")
    parser.add_argument(
        '--compare',
        action='append',
        default=[],
        type=parse_model,
        metavar='NAME=CONFIG,CHECKPOINT',
        help='a further model for the same table; may be repeated',
    )
    parser.add_argument(
        '--baseline',
        default=PUBLISHED_BASELINE,
        help=f"whose DEE are CE's 100 %%: the name of a model, or {PUBLISHED_BASELINE} (default)",
    )
    parser.add_argument('--corruptions', nargs='+', default=list(CORRUPTIONS), metavar='NAME')
    parser.add_argument('--severities', nargs='+', type=int, default=list(SEVERITIES))
    parser.add_argument(
        '--protocol',
        choices=('robodepth', 'native'),
        default='robodepth',
        help='corrupt after the resize to the input size of the network, or before',
    )
    parser.add_argument('--kitti-c', metavar='DIR', help='read the corrupted images from here')
    add_run_arguments(parser)
    args = parser.parse_args(argv)
    args.corruptions = _unique(parser, '--corruptions', args.corruptions, CORRUPTIONS)
    args.severities = _unique(parser, '--severities', args.severities, SEVERITIES)
    if args.batch_size < 1 or args.workers < 0 or args.memory_gb <= 0:
        parser.error('--batch-size and --memory-gb must be positive, --workers not negative')
    if args.kitti_c and args.protocol == 'native':
        parser.error('--kitti-c holds images of the network input: leave out --protocol native')
    args.models = _list_models(parser, args)
    return args


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Where and how it runs."""
    from mmengine.config import DictAction

    parser.add_argument('--seed', type=int, default=42)
    parser.add_argument('--out', help='default: work_dirs/robustness/<name of the config>')
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--workers', type=int, default=2, help='processes that corrupt')
    parser.add_argument('--memory-gb', type=float, default=4.0, help='for decoded images')
    parser.add_argument('--launcher', choices=('none', 'pytorch'), default='none')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='of all configs')


def _unique(parser: argparse.ArgumentParser, option: str, given: list, known: tuple) -> list:
    """The given entries in the order of the known ones."""
    wrong = [entry for entry in given if entry not in known]
    if wrong:
        parser.error(f'{option}: unknown {wrong[0]!r}; known are {", ".join(map(str, known))}')
    return [entry for entry in known if entry in given]


def _list_models(parser: argparse.ArgumentParser, args: argparse.Namespace) -> dict:
    """Name -> (config, checkpoint)."""
    models = {args.name or Path(args.config).stem: (args.config, args.checkpoint)}
    for name, config, checkpoint in args.compare:
        if name in models:
            parser.error(f'two models are named {name!r}: choose other names')
        models[name] = (config, checkpoint)
    if args.baseline not in (PUBLISHED_BASELINE, *models):
        parser.error(
            f'--baseline {args.baseline!r} is neither {PUBLISHED_BASELINE} nor one of '
            f'{", ".join(models)}'
        )
    return models


def start_processes(launcher: str) -> tuple[int, int]:
    """(rank, number of processes)."""
    if launcher == 'none':
        return 0, 1
    if 'RANK' not in os.environ:
        raise RuntimeError('--launcher pytorch is for torchrun, which sets RANK; start it with it')
    torch.distributed.init_process_group('gloo')
    return torch.distributed.get_rank(), torch.distributed.get_world_size()


def choose_device() -> str:
    """The GPU of this process, or the CPU."""
    if not torch.cuda.is_available():
        return 'cpu'
    return f'cuda:{int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count()}'


def say(text: str) -> None:
    """Print at once, whatever the output goes to."""
    print(text, flush=True)


def find_baseline(args: argparse.Namespace, rows: dict) -> tuple[dict | None, str]:
    """DEE of the baseline (None: no CE), and what to say about it."""
    if args.baseline != PUBLISHED_BASELINE:
        return {key: row['dee'] for key, row in rows[args.baseline].items()}, (
            f'CE is relative to {args.baseline}, measured here'
        )
    if tuple(args.severities) != SEVERITIES:
        return None, 'no CE: the published baseline is a mean over the severities 1 to 5'
    return MONODEPTH2_DEE, (
        'CE is relative to Monodepth2 as RoboDepth publishes it: 697 Eigen images at 640x192, '
        'protocol robodepth. On other images or sizes compare with --baseline instead'
    )


def write_pictures(
    models: list[Contestant],
    args: argparse.Namespace,
    options: RobustnessOptions,
    rows: dict,
    baseline: dict | None,
    out: Path,
) -> None:
    """The chart and the sheet of examples."""
    dee = {name: {key: row['dee'] for key, row in part.items()} for name, part in rows.items()}
    title = f'DEE, mean over severities {", ".join(map(str, args.severities))} (lower is better)'
    atomic_write(out / 'dee.svg', bar_chart(dee, title, baseline, args.baseline).encode())
    severity = args.severities[len(args.severities) // 2]
    save_image(example_sheet(predict_examples(models, options, severity)), out / 'examples.png')


def describe_settings(args: argparse.Namespace, metric: str, count: int) -> dict:
    """What the numbers depend on, for summary.json."""
    return dict(
        n_images=count,
        protocol=args.protocol,
        seed=args.seed,
        kitti_c=args.kitti_c,
        severities=args.severities,
        metric=metric,
        models={name: dict(config=c, checkpoint=k) for name, (c, k) in args.models.items()},
    )


def report(
    models: list[Contestant],
    args: argparse.Namespace,
    options: RobustnessOptions,
    ids: dict[str, list[str]],
    out: Path,
) -> None:
    """Tables, files, pictures."""
    passes = {
        m.name: {p: m.store.summarize(p, ids[m.data_key]) for p in options.passes} for m in models
    }
    levels = (args.corruptions, args.severities)
    rows = {name: average_severities(own, *levels) for name, own in passes.items()}
    baseline, remark = find_baseline(args, rows)
    summaries = {name: score_robustness(part, baseline) for name, part in rows.items()}
    judged = {name: (rows[name], summaries[name]) for name in rows}
    count = len(ids[models[0].data_key])
    metric = models[0].metric.describe()
    source = f'KITTI-C of {args.kitti_c}' if args.kitti_c else f'seed {args.seed}'
    title = (
        f'{count} images, protocol {args.protocol}, {source}, severities '
        f'{" ".join(map(str, args.severities))}; {metric}'
    )
    settings = describe_settings(args, metric, count)
    settings['baseline'] = args.baseline if baseline else None
    write_robustness(out, settings, judged, passes)
    tables = [make_corruption_table(*judged[m.name], f'{m.name}: {title}') for m in models]
    if len(models) > 1:
        tables.append(make_comparison_table(judged))
    if len(args.corruptions) < len(CORRUPTIONS):
        remark += f'. Means are over {len(args.corruptions)} of {len(CORRUPTIONS)} corruptions'
    if not args.kitti_c:
        remark += '\n\n' + describe_speed(passes[models[0].name], count)
    text = '\n\n'.join([*tables, remark]) + '\n'
    atomic_write(out / 'tables.txt', text.encode())
    say('\n' + text)
    if all(math.isfinite(summary['mrr']) for summary in summaries.values()):
        write_pictures(models, args, options, rows, baseline, out)
    say(
        f'written: {out}/summary.json, corruptions.csv, severities.csv, tables.txt, dee.svg, '
        'examples.png, passes/'
    )


def run(args: argparse.Namespace, out: Path) -> None:
    """All of it."""
    rank, world = start_processes(args.launcher)
    check_writable(out)
    options = RobustnessOptions(
        args.corruptions,
        args.severities,
        args.protocol,
        args.seed,
        args.batch_size,
        args.workers,
        args.kitti_c,
        args.memory_gb * 1e9,
        choose_device(),
    )
    models = [
        load_contestant(name, config, checkpoint, options, out, args.cfg_options)
        for name, (config, checkpoint) in args.models.items()
    ]
    metrics = {model.metric for model in models}
    if len(metrics) > 1:
        raise ValueError(
            f'the configs have different evaluation protocols: {sorted(map(repr, metrics))}'
        )
    ids = {}
    for data_key in dict.fromkeys(model.data_key for model in models):
        group = [model for model in models if model.data_key == data_key]
        prefix = f'rank {rank}: ' if world > 1 else ''
        ids[data_key] = run_passes(
            group, options, (rank, world), lambda text, prefix=prefix: say(prefix + text)
        )
    if len({tuple(listed) for listed in ids.values()}) > 1:
        raise ValueError('the test data sets of the configs have different images')
    if world > 1:
        torch.distributed.barrier()
    if rank == 0:
        report(models, args, options, ids, out)


def main(argv: list[str] | None = None) -> None:
    """Run; what the user can mend is one sentence, not a traceback."""
    args = parse_args(argv)
    out = Path(args.out or Path('work_dirs') / 'robustness' / Path(args.config).stem)
    # the workers are the parallel part; OpenCV's own threads would fight with them
    cv2.setNumThreads(0)
    try:
        run(args, out)
    except (OSError, ValueError, RuntimeError) as error:
        if os.environ.get('MMSCD_TRACEBACK'):
            raise
        kept = '\nFinished passes are kept: the same command goes on.'
        sys.exit(f'error: {error}' + (kept if any(out.glob('passes/*/*.json')) else ''))
    except KeyboardInterrupt:
        sys.exit('interrupted: finished passes are kept, the same command goes on')
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


if __name__ == '__main__':
    main()

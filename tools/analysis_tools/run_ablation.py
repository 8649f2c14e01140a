"""Train and compare variants of a method over seeds; robustness included.

Example::

    python tools/analysis_tools/run_ablation.py configs/scd/scd_r18_kitti-mini.py --amp \
        --variants baseline graph texture full --work-dir work_dirs/ablation --seeds 0 1 2

    python tools/analysis_tools/run_ablation.py --work-dir work_dirs/weights \
        --variant baseline configs/monodepth2/monodepth2_r18_kitti-mini.py \
        --variant weak configs/scd/scd_r18_kitti-mini.py model.losses.texture.loss_weight=0.5 \
        --corruptions dark fog snow gaussian_noise --severities 3

A variant is one of configs/scd/ablations.yml, applied to CONFIG (`--variants`), or a name, a config
and overrides (`--variant`). Every run is resumable: the same command goes on where it was
interrupted and skips what is finished. Every run is judged at its last iteration on clean and
corrupted test images; the first variant is the baseline. `--jobs N` keeps N runs going at a time,
on one GPU too, with the same results; a run that fails takes no other with it. Where parts begin
late, `--shared-until N` trains the first N iterations once per seed: the other variants go on from
the baseline's checkpoint as soon as it is there. For that all must have the same parameters and
optimizer: a part is switched off by a `begin` after the end, not by None.

Tables end with paired differences to the baseline, image by image, and their 95 % intervals.
`--plan FILE` states the question, variants, seeds, test sets and what would refute the answer; it
is kept in the work dir with its date, and printed above the tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmscd.corruptions import CORRUPTIONS, SEVERITIES
from mmscd.robustness.ablation_runs import Ablation, read_variants
from mmscd.robustness.plan import read_plan
from mmscd.utils.command_line import make_parser, output_folder, run_tool
from mmscd.utils.names import check_names

ROOT = Path(__file__).resolve().parents[2]


def run(args: argparse.Namespace) -> None:
    """Plan, train, judge and compare."""
    plan = read_plan(args.plan) if args.plan else None
    listed = read_variants(args.table, args.config, args.variants) if args.variants else []
    listed += args.variant
    if plan and (listed or args.seeds):
        raise ValueError(f'variants and seeds are those of {args.plan}: leave them out here')
    sets = plan.sets if plan else {}
    check_names('set of the plan', args.sets, sets)
    judge = ['--protocol', args.protocol, '--corruptions', *args.corruptions]
    Ablation(
        variants=plan.variants if plan else listed,
        work_dir=args.work_dir.resolve(),
        root=ROOT,
        seeds=plan.seeds if plan else args.seeds or (0, 1, 2),
        options=args.options,
        amp=args.amp,
        judge=[*judge, '--severities', *map(str, args.severities)],
        jobs=args.jobs,
        shared_until=args.shared_until,
        plan=plan,
        sets={name: sets[name] for name in args.sets or sets} or {'': ()},
        by_corruption=args.by_corruption,
    ).compare(args.dry_run)


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('config', nargs='?', help='of --variants')
    add('--variants', nargs='+', default=[], metavar='NAME', help='of the table; baseline first')
    add('--table', type=Path, default=ROOT / 'configs/scd/ablations.yml', help='of variants')
    add('--variant', nargs='+', action='append', default=[], metavar='NAME CONFIG [KEY=VALUE ...]')
    add('--seeds', nargs='+', type=int, help='default: 0 1 2')
    add('--work-dir', required=True, type=output_folder)
    add('--options', nargs='+', default=[], help='KEY=VALUE for all variants')
    add('--amp', action='store_true', help='mixed precision')
    add('--corruptions', nargs='+', default=list(CORRUPTIONS), choices=CORRUPTIONS)
    add('--severities', nargs='+', type=int, default=list(SEVERITIES), choices=SEVERITIES)
    add('--protocol', choices=('robodepth', 'native'), default='robodepth')
    add('--plan', type=Path, help='.yml file that says variants, seeds, sets and what would refute')
    add('--sets', nargs='+', default=[], metavar='NAME', help='of the plan, to judge now; all')
    add('--by-corruption', action='store_true', help='paired differences of every corruption, too')
    add('--jobs', type=int, default=1, help='runs at a time')
    add('--shared-until', type=int, metavar='ITERATION', help="until then all are the baseline's")
    add('--dry-run', action='store_true', help='only say what would be done')
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

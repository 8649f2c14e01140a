"""Curves, times and a summary of trainings.

Examples::

    python tools/analysis_tools/analyze_logs.py plot_curve work_dirs/a --keys loss abs_rel
    python tools/analysis_tools/analyze_logs.py cal_train_time work_dirs/a
    python tools/analysis_tools/analyze_logs.py summary work_dirs/a

A log is a work dir (all its starts; what a resumed run logged again counts once) or one
scalars.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmscd.report.log_analysis import describe_times, plot_curves, summarize_log
from mmscd.utils.command_line import make_parser, run_tool


def plot_curve(args: argparse.Namespace) -> None:
    """Draw curves."""
    plot_curves(
        args.logs, args.keys, args.out, args.legend, args.title, args.smooth, args.log_scale
    )
    print(f'wrote {args.out}')


def cal_train_time(args: argparse.Namespace) -> None:
    """Print seconds per iteration."""
    for log in args.logs:
        print(describe_times(log, args.include_outliers))


def summary(args: argparse.Namespace) -> None:
    """Print the tables."""
    for log in args.logs:
        print(summarize_log(log))


def main(argv: Sequence[str] | None = None) -> None:
    """Do what is asked for."""
    parser = make_parser(__doc__)
    tasks = parser.add_subparsers(required=True)
    for run, about in (
        (plot_curve, 'draw curves'),
        (cal_train_time, 'time per iteration'),
        (summary, 'last and best value of everything'),
    ):
        task = tasks.add_parser(run.__name__, help=about)
        task.add_argument('logs', nargs='+', help='work dirs or scalars.json files')
        task.set_defaults(run=run)
        if run is plot_curve:
            task.add_argument('--keys', nargs='+', default=['loss'], help='default: loss')
            task.add_argument('--legend', nargs='+', help="a name per log; default: the folder's")
            task.add_argument('--title')
            task.add_argument('--smooth', type=int, default=1, help='mean over so many points')
            task.add_argument('--log-scale', action='store_true', help='logarithmic heights')
            task.add_argument('--out', default='curves.png', help='.png, .svg or .pdf')
        elif run is cal_train_time:
            task.add_argument('--include-outliers', action='store_true', help='the first entry too')
    run_tool(parser, lambda args: args.run(args), argv)


if __name__ == '__main__':
    main()

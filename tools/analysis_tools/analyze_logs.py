"""Curves and a summary of trainings.

Examples::

    python tools/analysis_tools/analyze_logs.py plot_curve work_dirs/a --keys loss abs_rel
    python tools/analysis_tools/analyze_logs.py summary work_dirs/a

A log is a work dir (all its starts; what a resumed run logged again counts once) or one
scalars.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmscd.report.log_analysis import plot_curves, summarize_log
from mmscd.utils.command_line import make_parser, run_tool


def plot_curve(args: argparse.Namespace) -> None:
    """Draw curves."""
    plot_curves(
        args.logs, args.keys, args.out, args.legend, args.title, args.smooth, args.log_scale
    )
    print(f'wrote {args.out}')


def summary(args: argparse.Namespace) -> None:
    """Print the tables."""
    for log in args.logs:
        print(summarize_log(log))


def main(argv: Sequence[str] | None = None) -> None:
    """Do what is asked for."""
    parser = make_parser(__doc__)
    tasks = parser.add_subparsers(required=True)
    plot = tasks.add_parser('plot_curve', help='draw curves')
    table = tasks.add_parser('summary', help='last and best value of everything, and the time')
    for task, run in ((plot, plot_curve), (table, summary)):
        task.add_argument('logs', nargs='+', help='work dirs or scalars.json files')
        task.set_defaults(run=run)
    plot.add_argument('--keys', nargs='+', default=['loss'], help='what to draw (default: loss)')
    plot.add_argument('--legend', nargs='+', help="a name per log; default: the folder's")
    plot.add_argument('--title')
    plot.add_argument('--smooth', type=int, default=1, help='mean over so many points (default 1)')
    plot.add_argument('--log-scale', action='store_true', help='logarithmic heights')
    plot.add_argument('--out', default='curves.png', help='.png, .svg or .pdf')
    run_tool(parser, lambda args: args.run(args), argv)


if __name__ == '__main__':
    main()

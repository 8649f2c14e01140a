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
from mmscd.utils.command_line import make_parser, output_file, run_tool


def run(args: argparse.Namespace) -> None:
    """Draw curves, or print the tables."""
    if args.task == 'plot_curve':
        style = args.legend, args.title, args.smooth, args.log_scale
        plot_curves(args.logs, args.keys, args.out, *style)
        print(f'wrote {args.out}')
    else:
        print('\n'.join(map(summarize_log, args.logs)))


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = make_parser(__doc__)
    tasks = parser.add_subparsers(dest='task', required=True)
    plot = tasks.add_parser('plot_curve', help='draw curves')
    table = tasks.add_parser('summary', help='last and best value of everything, and the time')
    for task in (plot, table):
        task.add_argument('logs', nargs='+', help='work dirs or scalars.json files')
    plot.add_argument('--keys', nargs='+', default=['loss'], help='what to draw (default: loss)')
    plot.add_argument('--legend', nargs='+', help="a name per log; default: the folder's")
    plot.add_argument('--title')
    plot.add_argument('--smooth', type=int, default=1, help='mean over so many points (default 1)')
    plot.add_argument('--log-scale', action='store_true', help='logarithmic heights')
    plot.add_argument('--out', type=output_file, default='curves.png', help='.png, .svg or .pdf')
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

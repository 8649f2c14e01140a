"""Compare predictors image by image, with 95 % confidence intervals of their differences.

Example::

    python tools/analysis_tools/compare_results.py baseline.json scd.json --names baseline scd

The files are what `DepthMetric(per_image_path=...)` or `offline_eval.py --out` wrote. The first is
the baseline. Both predictors find the same images hard, so the interval of the mean difference
tells more than the intervals of two means: where it does not hold 0, the images agree.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmscd.evaluation.bootstrap import Bootstrap
from mmscd.evaluation.comparison import compare_files, make_difference_table
from mmscd.utils.command_line import make_parser, output_file, run_tool
from mmscd.utils.files import write_json


def run(args: argparse.Namespace) -> None:
    """Compare and print."""
    names = args.names or [path.stem for path in args.results]
    title, rows = compare_files(args.results, names, Bootstrap())
    table = make_difference_table(rows, Bootstrap().label)
    print(f'{title}\n{table}\n*: the interval does not hold 0')
    if args.out:
        write_json(args.out, dict(protocol=title, differences=rows))


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('results', type=Path, nargs='+', help='.json files, the baseline first')
    add('--names', nargs='+', help='of the predictors; default: of the files')
    add('--out', type=output_file, help='.json file for the numbers')
    run_tool(parser, run, argv)


if __name__ == '__main__':
    main()

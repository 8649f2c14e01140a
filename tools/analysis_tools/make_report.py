"""Make a report of a training: one HTML page that needs no other file.

Example::

    python tools/analysis_tools/make_report.py --work-dir work_dirs/NAME --config CONFIG \
        --checkpoint work_dirs/NAME/iter_N.pth --out report.html

It evaluates the checkpoint once on the config's test images and writes nothing but the page.
"""

from __future__ import annotations

from collections.abc import Sequence

from mmscd.report.make_report import Request, make_report
from mmscd.utils.command_line import make_parser, output_file, run_tool
from mmscd.utils.option_action import OptionAction


def main(argv: Sequence[str] | None = None) -> None:
    """Make the page."""
    parser = make_parser(__doc__)
    parser.add_argument('--work-dir', required=True, help='of the training: its log is read here')
    parser.add_argument('--config', required=True, help='path, or package::path')
    parser.add_argument('--checkpoint', required=True, help='path or URL')
    parser.add_argument('--out', type=output_file, required=True, help='.html file')
    parser.add_argument('--title', help='default: the name of the config')
    parser.add_argument('--images', type=int, default=6, help='so many test images, at least 2')
    parser.add_argument('--robustness', help='folder that test_robustness.py --out has written')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, help='key=value overrides')
    run_tool(parser, lambda args: print(make_report(Request(**vars(args)))), argv)


if __name__ == '__main__':
    main()

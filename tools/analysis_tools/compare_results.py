"""Compare predictors image by image, with confidence intervals of their differences.

Example::

    python tools/analysis_tools/compare_results.py baseline.json scd.json --names baseline scd

The files are what `DepthMetric(per_image_path=...)` or `offline_eval.py --out` wrote. The first is
the baseline. Both predictors find the same images hard, so the interval of the mean difference
tells more than the intervals of two means: where it does not hold 0, the images agree.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from terminaltables import AsciiTable

from mmscd.evaluation.bootstrap import Bootstrap, paired_differences
from mmscd.evaluation.functional import HIGHER_IS_BETTER, METRIC_NAMES
from mmscd.utils.files import write_json


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('results', type=Path, nargs='+', help='.json files, the baseline first')
    parser.add_argument('--names', nargs='+', help='of the predictors; default: of the files')
    parser.add_argument('--num-resamples', type=int, default=2000)
    parser.add_argument('--confidence', type=float, default=0.95)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, help='.json file for the numbers')
    args = parser.parse_args(argv)
    if len(args.results) < 2:
        parser.error('give at least two files: the baseline and what is compared with it')
    args.names = args.names or [path.stem for path in args.results]
    if len(args.names) != len(args.results):
        parser.error(f'{len(args.results)} files, but {len(args.names)} names')
    return args


def read_results(path: Path) -> tuple[str, dict[str, dict[str, float]]]:
    """Protocol and metrics by image.

    Raises:
        FileNotFoundError, ValueError: the file is missing or another kind of file.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist')
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        images = {row['img_path']: row for row in content['images'] if row['n_pixels']}
        return content['protocol'], images
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise ValueError(
            f'{path} holds no results per image: expected what DepthMetric(per_image_path=...json) '
            'or offline_eval.py --out FILE.json wrote'
        ) from None


def compare(paths: Sequence[Path], bootstrap: Bootstrap) -> tuple[str, list[dict[str, float]]]:
    """Title, and the differences of each but the first file to the first.

    Raises:
        ValueError: protocols or images differ.
    """
    (protocol, baseline), *others = [read_results(path) for path in paths]
    differences = []
    for path, (other_protocol, images) in zip(paths[1:], others, strict=True):
        if other_protocol != protocol:
            raise ValueError(
                f'{path} was evaluated by another protocol ({other_protocol}) than {paths[0]} '
                f'({protocol}): such numbers must not be compared'
            )
        if set(images) != set(baseline):
            odd = sorted(set(images) ^ set(baseline))
            raise ValueError(
                f'{path} and {paths[0]} have different images: {len(odd)} are in one only (first: '
                f'{odd[0]})'
            )
        results = [images[name] for name in baseline]
        differences.append(paired_differences(results, list(baseline.values()), bootstrap))
    return f'{protocol}, {len(baseline)} images', differences


def table(rows: Mapping[str, Mapping[str, float]], label: str) -> str:
    """A text table; a star marks intervals without 0."""
    head = [name + (' ↑' if name in HIGHER_IS_BETTER else ' ↓') for name in METRIC_NAMES]
    data = [['', *head]]
    for name, row in rows.items():
        cells = []
        for key in METRIC_NAMES:
            sure = row[f'{key}_low'] * row[f'{key}_high'] > 0
            cells.append(f'{row[key]:+.4f}{"*" if sure else " "}')
        data.append([name, *cells])
        for end, word in (('low', 'from'), ('high', 'to')):
            cells = (f'{row[f"{key}_{end}"]:+.4f} ' for key in METRIC_NAMES)
            data.append([f'  {label} {word}', *cells])
    return AsciiTable(data).table


def main(argv: list[str] | None = None) -> None:
    """Compare and print; what the user can mend is one sentence."""
    args = parse_args(argv)
    try:
        bootstrap = Bootstrap(args.num_resamples, args.confidence, args.seed)
        title, differences = compare(args.results, bootstrap)
        rows = {
            f'{name} - {args.names[0]}': row
            for name, row in zip(args.names[1:], differences, strict=True)
        }
        print(f'{title}\n{table(rows, bootstrap.label)}\n*: the interval does not hold 0')
        if args.out:
            write_json(args.out, dict(protocol=title, differences=rows))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()

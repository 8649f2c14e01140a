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
import math
from collections.abc import Sequence
from pathlib import Path

from mmscd.utils.scalars import read_scalars

Rows = list[dict[str, float]]
# names with a better end; of all others (diagnostics) no best value is told
FALLING = ('loss', 'abs_rel', 'sq_rel', 'rmse', 'silog', 'log10', 'ate', 'hole_rate', 'mce', 'dee')
RISING = ('delta', 'f1', 'acc', 'miou', 'mrr')
# no result of a training
NOT_METRICS = {'step', 'iter', 'epoch', 'lr', 'time', 'data_time', 'memory', 'n_images', 'n_empty'}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    tasks = parser.add_subparsers(dest='task', required=True)
    plot = tasks.add_parser('plot_curve', help='draw curves')
    plot.add_argument('logs', nargs='+', type=Path, help='work dirs or scalars.json files')
    plot.add_argument('--keys', nargs='+', default=['loss'], help='what to draw (default: loss)')
    plot.add_argument('--legend', nargs='+', help="a name per log; default: the folder's")
    plot.add_argument('--title')
    plot.add_argument('--smooth', type=int, default=1, help='mean over so many points (default 1)')
    plot.add_argument('--log-scale', action='store_true', help='logarithmic heights')
    plot.add_argument('--out', type=Path, default=Path('curves.png'), help='.png, .svg or .pdf')
    clock = tasks.add_parser('cal_train_time', help='time per iteration')
    clock.add_argument('logs', nargs='+', type=Path)
    clock.add_argument('--include-outliers', action='store_true', help='the first log entry too')
    summary = tasks.add_parser('summary', help='last and best value of everything')
    summary.add_argument('logs', nargs='+', type=Path)
    return parser.parse_args(argv)


def read_log(path: Path) -> Rows:
    """Rows with a `step`, ascending.

    Args:
        path: a work dir, or a file of one JSON object per line. Lines that are no JSON (a run
            that was killed, or still writes) are passed over.

    Raises:
        FileNotFoundError: there is no log.
        ValueError: nothing was logged.
    """
    files = [path]
    if path.is_dir():
        files = sorted(path.glob('*/vis_data/scalars.json')) or sorted(path.glob('scalars.json'))
    if not files or not files[0].is_file():
        raise FileNotFoundError(
            f'there is no log at {path}; name a work dir (with */vis_data/scalars.json) or a '
            'scalars.json'
        )
    rows: Rows = []
    for file in files:
        later = read_scalars(file)
        if later:
            # a resumed or repeated start replaces what the earlier one logged from there on
            first = min(row['step'] for row in later)
            rows = [row for row in rows if row['step'] < first] + later
    if not rows:
        raise ValueError(f'{path}: nothing was logged yet')
    return sorted(rows, key=lambda row: row['step'])


def curve(rows: Rows, key: str) -> tuple[list[float], list[float]]:
    """Steps and values of a key; NaN stays, so that a gap shows."""
    points = [(r['step'], r[key]) for r in rows if isinstance(r.get(key), (int, float))]
    return [x for x, _ in points], [y for _, y in points]


def running_mean(values: Sequence[float], count: int) -> list[float]:
    """Mean of every value and the `count` - 1 before it (fewer at the beginning)."""
    means = []
    for i in range(len(values)):
        part = values[max(0, i + 1 - count) : i + 1]
        means.append(sum(part) / len(part))
    return means


def known_keys(rows: Rows) -> list[str]:
    """All keys with numbers, in order of appearance."""
    keys = {k: None for r in rows for k, v in r.items() if isinstance(v, (int, float))}
    return [key for key in keys if key not in ('step', 'iter')]


def plot_curve(args: argparse.Namespace) -> None:
    """Draw a panel per key with a line per log."""
    logs = {path: read_log(path) for path in args.logs}
    names = args.legend or [str(path.stem if path.is_file() else path.name) for path in logs]
    if len(names) != len(logs):
        raise ValueError(f'--legend needs a name for each of {len(logs)} logs, got {len(names)}')
    for key in args.keys:
        lacking = [str(path) for path, rows in logs.items() if not curve(rows, key)[0]]
        if lacking:
            known = known_keys(logs[Path(lacking[0])])
            raise ValueError(f'{lacking[0]} has no {key!r}; it has {", ".join(known)}')
    if args.out.suffix not in ('.png', '.svg', '.pdf'):
        raise ValueError(f'--out must end in .png, .svg or .pdf, got {args.out}')
    _draw(args, logs, names)
    print(f'wrote {args.out}')


def _draw(args: argparse.Namespace, logs: dict[Path, Rows], names: list[str]) -> None:
    import io

    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    from mmscd.utils.files import atomic_write

    count = len(args.keys)
    columns = min(count, 3)
    size = (5.2 * columns, 3.6 * math.ceil(count / columns))
    figure, panels = plt.subplots(math.ceil(count / columns), columns, figsize=size, squeeze=False)
    for panel in panels.flat[count:]:
        panel.set_visible(False)
    for panel, key in zip(panels.flat, args.keys, strict=False):
        for name, rows in zip(names, logs.values(), strict=True):
            steps, values = curve(rows, key)
            marker = 'o' if len(steps) < 30 else None
            values = running_mean(values, max(1, args.smooth))
            panel.plot(steps, values, label=name, marker=marker, markersize=3, linewidth=1.4)
        panel.set(xlabel='iteration', title=key)
        panel.grid(alpha=0.3)
        if args.log_scale:
            panel.set_yscale('log')
        if len(names) > 1:
            panel.legend(fontsize=8)
    if args.title:
        figure.suptitle(args.title)
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format=args.out.suffix[1:], dpi=130)
    plt.close(figure)
    atomic_write(args.out, buffer.getvalue())


def cal_train_time(args: argparse.Namespace) -> None:
    """Print seconds per iteration of every log."""
    for path in args.logs:
        rows = [r for r in read_log(path) if 'loss' in r and isinstance(r.get('time'), float)]
        # the first entry pays for start-up: workers, compilation, autotuning
        rows = rows if args.include_outliers else rows[1:] or rows
        if not rows:
            raise ValueError(f'{path} has no times of training iterations')
        times = [row['time'] for row in rows]
        load = [row.get('data_time', 0.0) for row in rows]
        slow, fast = (pick(rows, key=lambda r: r['time']) for pick in (max, min))
        mean = sum(times) / len(times)
        spread = math.sqrt(sum((t - mean) ** 2 for t in times) / len(times))
        print(f'{path}: {len(rows)} log entries')
        print(f'  mean {mean:.4f} s per iteration, standard deviation {spread:.4f} s')
        print(f'  slowest {slow["time"]:.4f} s (up to iteration {slow["step"]:g})')
        print(f'  fastest {fast["time"]:.4f} s (up to iteration {fast["step"]:g})')
        print(f'  waiting for data {sum(load) / sum(times):.1%} of the time')


def best_point(
    steps: Sequence[float], values: Sequence[float], key: str
) -> tuple[float, float] | None:
    """(step, value) of the best finite value, None where none is better than another."""
    name = key.rsplit('/', 1)[-1].lower()
    finite = [(s, v) for s, v in zip(steps, values, strict=True) if math.isfinite(v)]
    if not finite or not name.startswith(FALLING + RISING):
        return None
    return (max if name.startswith(RISING) else min)(finite, key=lambda point: point[1])


def summary(args: argparse.Namespace) -> None:
    """Print first, last and best of every key, and what was not a number."""
    from terminaltables import AsciiTable

    for path in args.logs:
        rows = read_log(path)
        table = [['', 'entries', 'first', 'last', 'best', 'at iteration', 'not finite']]
        for key in known_keys(rows):
            if key in NOT_METRICS:
                continue
            steps, values = curve(rows, key)
            best = best_point(steps, values, key)
            broken = sum(not math.isfinite(value) for value in values)
            table.append(
                [key, len(values), f'{values[0]:.4g}', f'{values[-1]:.4g}',
                 *([f'{best[1]:.4g}', f'{best[0]:g}'] if best else ['', '']), broken or '']
            )  # fmt: skip
        print(f'{path}: iterations {rows[0]["step"]:g} to {rows[-1]["step"]:g}')
        print(AsciiTable(table).table)


def main(argv: Sequence[str] | None = None) -> None:
    """Do what is asked for; one sentence and exit code 1 where it cannot be done."""
    args = parse_args(argv)
    tasks = dict(plot_curve=plot_curve, cal_train_time=cal_train_time, summary=summary)
    try:
        tasks[args.task](args)
    except (ValueError, OSError, ImportError) as error:
        raise SystemExit(f'analyze_logs: {error}') from error


if __name__ == '__main__':
    main()

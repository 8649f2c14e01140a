"""Bring the official split files of KITTI raw to data/splits/kitti, with checksums.

    python tools/dataset_converters/prepare_kitti_splits.py
    python tools/dataset_converters/prepare_kitti_splits.py --source DIR_WITH_SPLITS

The lists of D. Eigen et al. (NIPS 2014) and T. Zhou et al. (CVPR 2017), as the monodepth2
repository distributes them. What is already right is left alone.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import urllib.error
import urllib.request
from pathlib import Path

from mmscd.utils.files import atomic_write

URL = 'https://raw.githubusercontent.com/nianticlabs/monodepth2/master/splits'
# relative path: (sha256, lines)
SPLITS = {
    'eigen_zhou/train_files.txt': (
        '00173a231642151c4693274e701ddd4cae7916520a757c7a94eae8e1173f7b0c',
        39810,
    ),
    'eigen_zhou/val_files.txt': (
        '64a868b8d2c66c3979a2d74c22ea2e9146850d5b9f5786ed8e5f92201ba1ad04',
        4424,
    ),
    'eigen/test_files.txt': (
        'e226d4ca16e0e6e9695435014347dcf973588531330536fd8a68d298ef091a6b',
        697,
    ),
    'eigen_benchmark/test_files.txt': (
        'd56e5e509e6960a01fb93795f85028ac6e4a82ad40e64b6e968988e4db95b9be',
        652,
    ),
}


def sha256(data: bytes) -> str:
    """Checksum as hex digits."""
    return hashlib.sha256(data).hexdigest()


def check(name: str, data: bytes, origin: str) -> None:
    """Compare content with the checksum of a split.

    Raises:
        ValueError: names the file, its origin and both sums.
    """
    expected, lines = SPLITS[name]
    if sha256(data) != expected:
        raise ValueError(
            f'{name} from {origin} has sha256 {sha256(data)} ({data.count(10)} lines), expected '
            f'{expected} ({lines} lines): it is not the official file; nothing was written for it'
        )


def fetch(url: str, timeout: float = 60) -> bytes:
    """Content behind a URL.

    Raises:
        OSError: names the URL and the way round.
    """
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            return response.read()
    except (urllib.error.URLError, OSError) as error:
        raise OSError(
            f'cannot fetch {url}: {error}; check the network, or download the files by hand and '
            'give their folder as --source'
        ) from error


def prepare(out: Path, source: Path | None, base_url: str) -> list[str]:
    """Write what is missing or wrong under `out`.

    Args:
        out: receives eigen_zhou/, eigen/ and eigen_benchmark/.
        source: folder with the same layout; None: `base_url` is asked.
        base_url: https:// or file:// address of that layout.

    Returns:
        one line per file: what was done.
    """
    report = []
    for name, (expected, lines) in SPLITS.items():
        target = out / name
        if target.is_file() and sha256(target.read_bytes()) == expected:
            report.append(f'{target}: {lines} lines, already right')
            continue
        if source is not None:
            origin = str(source / name)
            if not Path(origin).is_file():
                raise FileNotFoundError(f'{origin} does not exist; --source needs {list(SPLITS)}')
            data = Path(origin).read_bytes()
        else:
            origin = f'{base_url.rstrip("/")}/{name}'
            data = fetch(origin)
        check(name, data, origin)
        atomic_write(target, data)
        report.append(f'{target}: {lines} lines, from {origin}')
    return report


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=Path, default=Path('data/splits/kitti'), help='where to')
    parser.add_argument('--source', type=Path, help='folder that has the files already')
    parser.add_argument('--url', default=URL, help='base address (https:// or file://)')
    args = parser.parse_args(argv)
    try:
        print('\n'.join(prepare(args.out, args.source, args.url)))
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())

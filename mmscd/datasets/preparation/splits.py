"""The official split files of KITTI raw, known by their checksums."""

from __future__ import annotations

import hashlib
import urllib.request
from pathlib import Path

from mmscd.utils.files import atomic_write

URL = 'https://raw.githubusercontent.com/nianticlabs/monodepth2/master/splits'
_TABLE = """
eigen_zhou/train_files.txt 39810 00173a231642151c4693274e701ddd4cae7916520a757c7a94eae8e1173f7b0c
eigen_zhou/val_files.txt 4424 64a868b8d2c66c3979a2d74c22ea2e9146850d5b9f5786ed8e5f92201ba1ad04
eigen/test_files.txt 697 e226d4ca16e0e6e9695435014347dcf973588531330536fd8a68d298ef091a6b
eigen_benchmark/test_files.txt 652 d56e5e509e6960a01fb93795f85028ac6e4a82ad40e64b6e968988e4db95b9be
"""
# relative path: (sha256, lines)
SPLITS = {
    name: (digest, int(lines))
    for name, lines, digest in map(str.split, _TABLE.strip().splitlines())
}


def prepare_splits(out: Path, source: Path | None = None, base_url: str = URL) -> list[str]:
    """Write what is missing or wrong under `out` (eigen_zhou/, eigen/, eigen_benchmark/), from the
    folder `source` or, where that is None, `base_url` (https:// or file://), which have the same
    layout. One line per file. OSError where one cannot be had, ValueError where it is not the
    official one."""
    report = []
    for name, (expected, lines) in SPLITS.items():
        target = out / name
        if target.is_file() and sha256(target.read_bytes()) == expected:
            report.append(f'{target}: {lines} lines, already right')
            continue
        origin = f'{base_url.rstrip("/")}/{name}' if source is None else str(source / name)
        if source is not None and not Path(origin).is_file():
            raise FileNotFoundError(f'{origin} does not exist; --source needs {list(SPLITS)}')
        data = _fetch(origin) if source is None else Path(origin).read_bytes()
        if sha256(data) != expected:
            raise ValueError(
                f'{name} from {origin} has sha256 {sha256(data)} ({data.count(10)} lines), '
                f'expected {expected} ({lines} lines): it is not official and not written'
            )
        atomic_write(target, data)
        report.append(f'{target}: {lines} lines, from {origin}')
    return report


def sha256(data: bytes) -> str:
    """Checksum as hex digits."""
    return hashlib.sha256(data).hexdigest()


def _fetch(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            return response.read()
    except (OSError, ValueError) as error:
        mend = 'check the network, or download the files by hand and give their folder as --source'
        raise OSError(f'cannot fetch {url}: {error}; {mend}') from error

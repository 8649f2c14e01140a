"""Files from the network: whole and checked, or not there at all."""

from __future__ import annotations

import hashlib
import os
import re
import urllib.request
from http.client import HTTPException
from pathlib import Path

_TRIES = 3
_CHUNK = 1 << 20


def cached_path(url: str) -> Path:
    """Where a download lies: the folder of `torch.hub`, under the last part of the URL."""
    from torch.hub import get_dir

    return Path(get_dir()) / 'checkpoints' / url.split('?')[0].rsplit('/', 1)[-1]


def download(url: str) -> Path:
    """Bring a file to `cached_path`, unless it lies there; OSError, which names the URL and where
    to put a copy, where it cannot be had.

    The length has to be what the server says, and the hash what a name like `resnet18-f37072fd.pth`
    says. What an interrupted try has brought is gone on with.
    """
    target = cached_path(url)
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f'.{target.name}.part')
    for _ in range(_TRIES):
        try:
            _fetch(url, part)
            _check_hash(part, target.name)
            os.replace(part, target)
            return target
        except (OSError, HTTPException, ValueError) as error:
            failure: Exception = error
            if isinstance(error, ValueError):
                part.unlink(missing_ok=True)
    mend = f'bring it to {target} by other means, or give its path where the URL stands'
    raise OSError(f'{url} cannot be downloaded ({failure}): {mend}') from failure


def _fetch(url: str, part: Path) -> None:
    begin = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={'Range': f'bytes={begin}-'} if begin else {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        begin = begin if answer.status == 206 else 0
        length = answer.headers.get('Content-Length')
        with part.open('ab' if begin else 'wb') as stream:
            while block := answer.read(_CHUNK):
                stream.write(block)
    got = part.stat().st_size
    if length is not None and got != begin + int(length):
        raise OSError(f'{got} of {begin + int(length)} bytes came')


def _check_hash(file: Path, name: str) -> None:
    wanted = re.search(r'-([0-9a-f]{8,64})\.[a-z]+$', name)
    if wanted is None:
        return
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if not digest.startswith(wanted[1]):
        raise ValueError(f'its sha256 begins with {digest[:8]}, its name says {wanted[1]}')

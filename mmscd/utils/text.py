"""Text files that people write and edit."""

from __future__ import annotations

import os
from pathlib import Path


def read_text(path: str | os.PathLike) -> str:
    """Content of a UTF-8 file, without the byte order mark that some editors put before it.
    FileNotFoundError; ValueError, which names the file, where it is no such text."""
    try:
        return Path(path).read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is no text ({error}); save it as UTF-8') from None

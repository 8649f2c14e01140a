"""Text files that people write and edit."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """PyYAML's, with floats as YAML 1.2 and everybody else writes them: 7.2e2 and 1e-4, too."""


_FLOAT = re.compile(r'[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$')
_Loader.add_implicit_resolver('tag:yaml.org,2002:float', _FLOAT, list('-+.0123456789'))


def read_text(path: str | os.PathLike) -> str:
    """Content of a UTF-8 file, without the byte order mark that some editors put before it.
    FileNotFoundError; ValueError, which names the file, where it is no such text."""
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is no text ({error}); save it as UTF-8') from None
    if '\0' in text:
        raise ValueError(f'{path} is no text (it holds bytes of zero); save it as UTF-8')
    return text


def parse_yaml(text: str, what: str) -> Any:
    """Content of a yaml text, plain values only; `what` names it in the ValueError."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(f'{what} is not yaml: {error}') from None

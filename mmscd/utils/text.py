"""Text files that people write and edit."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError


class _Loader(yaml.SafeLoader):
    """PyYAML's, with floats as YAML 1.2 and everybody else writes them: 7.2e2 and 1e-4, too."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict:
        """A mapping, where no key comes twice: which one would count is anybody's guess."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(keys)) < len(keys):
            odd = next(key for key in keys if keys.count(key) > 1)
            raise ConstructorError(None, None, f'the key {odd!r} comes twice', node.start_mark)
        return super().construct_mapping(node, deep)


_FLOAT = re.compile(r'[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$')
_Loader.add_implicit_resolver('tag:yaml.org,2002:float', _FLOAT, list('-+.0123456789'))


# what PyYAML's constructors raise beside its own for values such as `!!bool x` and `!!int ''`
_NO_YAML = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError)


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
    except _NO_YAML as error:
        raise ValueError(f'{what} is not yaml: {" ".join(str(error).split())}') from None

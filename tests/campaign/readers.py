"""Every reader of files from outside: how a valid input looks, and the door that reads it.

`READERS` is filled by the modules `readers_of_*`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from tiny import ROOT


@dataclass(frozen=True)
class Reader:
    """`make` writes a valid input into a folder, `read` reads it as the user's command does,
    `files` are patterns of what is spoilt, `kind` a name of `mutations.MEANING` or `bytes`."""

    name: str
    kind: str
    make: Callable[[Path], Any]
    read: Callable[[Path], Any]
    files: tuple[str, ...]
    also: tuple[str, ...] = ()  # names that a sentence may give instead: the file speaks of them
    sparse: int = 1  # only every so manieth round: it takes seconds

    def targets(self, folder: Path) -> list[Path]:
        """The files to spoil."""
        found = sorted({path for pattern in self.files for path in folder.glob(pattern)})
        assert found, f'{self.name}: nothing matches {self.files} in {folder}'
        return found


READERS: dict[str, Reader] = {}


def add(
    name: str,
    kind: str,
    make: Callable[[Path], Any],
    read: Callable[[Path], Any],
    *files: str,
    also: tuple[str, ...] = (),
    sparse: int = 1,
) -> None:
    """Register a reader."""
    READERS[name] = Reader(name, kind, make, read, files, also, sparse)


@cache
def tool(path: str) -> ModuleType:
    """A command of the repository, as a module."""
    file = ROOT / path
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = sys.modules[file.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(path: str, *arguments: Any) -> Any:
    """Run a command in this process."""
    sys.argv = [path, *map(str, arguments)]
    return tool(path).main()


def load_all() -> dict[str, Reader]:
    """All readers, with what they import, so that a fork has it."""
    for name in ('data', 'cameras', 'results', 'weights'):
        importlib.import_module(f'readers_of_{name}')
    return READERS

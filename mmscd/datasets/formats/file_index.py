"""Which files exist, from one listing per folder."""

from __future__ import annotations

import os
from collections.abc import Iterable


class FileIndex:
    """Names of files by folder; every folder is listed once. Those that begin with a dot, such as
    what macOS puts beside every file, are passed over."""

    def __init__(self) -> None:
        self._folders: dict[str, frozenset[str] | None] = {}
        self._frames: dict[tuple[str, tuple[str, ...]], dict[int, str] | None] = {}

    def names(self, folder: str) -> frozenset[str] | None:
        """Names in a folder; None where there is no such folder."""
        if folder not in self._folders:
            try:
                names = os.listdir(folder)
                self._folders[folder] = frozenset(name for name in names if name[0] != '.')
            except (FileNotFoundError, NotADirectoryError):
                self._folders[folder] = None
        return self._folders[folder]

    def problem(self, path: str) -> str | None:
        """None where the file exists, else what is missing."""
        folder, name = os.path.split(path)
        names = self.names(folder)
        if names is None:
            return f'folder {folder} does not exist'
        return None if name in names else f'no {name} in {folder}'

    def first_problem(self, paths: Iterable[str]) -> str | None:
        """The first thing that is missing of several files."""
        return next(filter(None, map(self.problem, paths)), None)

    def frames(self, folder: str, extensions: tuple[str, ...]) -> dict[int, str] | None:
        """Path by frame number, also where a conversion was interrupted: of a frame with several
        extensions the one that most files have (the first named on a tie). None where there is no
        such folder."""
        key = folder, extensions
        if key not in self._frames:
            found: dict[str, dict[int, str]] = {extension: {} for extension in extensions}
            for name in self.names(folder) or ():
                stem, extension = os.path.splitext(name)
                if extension.lower() in found and stem.isdecimal():
                    found[extension.lower()][int(stem)] = os.path.join(folder, name)
            rarest_first = sorted(reversed(found.values()), key=len)
            frames = {number: path for paths in rarest_first for number, path in paths.items()}
            self._frames[key] = None if self.names(folder) is None else frames
        return self._frames[key]

    def find(self, folder: str, frame: int, extensions: tuple[str, ...]) -> tuple[str, str | None]:
        """(path of a frame, None), or ('', what is missing)."""
        frames = self.frames(folder, extensions)
        if frames is None:
            return '', f'folder {folder} does not exist'
        if frame not in frames:
            return '', f'no {frame:010d}{"|".join(extensions)} in {folder}'
        return frames[frame], None

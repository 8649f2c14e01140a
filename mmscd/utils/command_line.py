"""What the command lines of the tools share."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) of `640x192`, as the `type` of an argument.

    Raises:
        argparse.ArgumentTypeError: the text has another form, or a side is not positive.
    """
    try:
        width, height = (int(side) for side in text.split('x'))
    except ValueError:
        width = height = 0
    if width < 1 or height < 1:
        raise argparse.ArgumentTypeError(f'size must look like 640x192, got {text!r}')
    return width, height


def parse_model(text: str) -> tuple[str, str, str]:
    """(name, config, checkpoint) of `NAME=CONFIG,CHECKPOINT`, as the `type` of an argument.

    Raises:
        argparse.ArgumentTypeError: the text has another form.
    """
    name, _, files = text.partition('=')
    config, _, checkpoint = files.rpartition(',')
    if not (name and config and checkpoint):
        raise argparse.ArgumentTypeError(f'a model is NAME=CONFIG,CHECKPOINT, got {text!r}')
    return name, config, checkpoint


def check_writable(folder: str | os.PathLike) -> None:
    """Make a folder and write to it.

    Raises:
        OSError: it cannot be made or written to.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(f'cannot write to {folder}: {error}; choose another folder') from error

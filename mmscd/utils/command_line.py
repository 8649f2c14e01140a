"""What the command lines of the tools share."""

from __future__ import annotations

import argparse


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) of `640x192`, as the `type` of an argument.

    Raises:
        argparse.ArgumentTypeError: the text has another form.
    """
    try:
        width, height = (int(side) for side in text.split('x'))
    except ValueError:
        raise argparse.ArgumentTypeError(f'size must look like 640x192, got {text!r}') from None
    return width, height

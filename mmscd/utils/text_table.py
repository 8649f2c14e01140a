"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from terminaltables import AsciiTable


def text_table(rows: Sequence[Sequence[str]], title: str = '') -> str:
    """A framed table whose first column stands at the left and whose others at the right.

    Args:
        rows: lines of equally many cells; the first line is the head.
        title: written above (a long one would not fit into the frame).
    """
    table = AsciiTable([list(row) for row in rows])
    table.justify_columns = dict.fromkeys(range(1, len(rows[0])), 'right')
    return f'{title}\n{table.table}' if title else table.table

"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from terminaltables import AsciiTable


def text_table(rows: Sequence[Sequence[str]], title: str = '') -> str:
    """A framed table of lines of equally many cells, the first of which is the head; the first
    column stands at the left, the others at the right. A title is written above (it might not fit
    into the frame)."""
    table = AsciiTable([list(row) for row in rows])
    table.justify_columns = dict.fromkeys(range(1, len(rows[0])), 'right')
    return f'{title}\n{table.table}' if title else table.table

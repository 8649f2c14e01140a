"""`--cfg-options` of the tools. Imports mmengine, so `command_line` imports it when asked to."""

from __future__ import annotations

from typing import Any

from mmengine.config import DictAction


class OptionAction(DictAction):
    """mmengine's KEY=VALUE words, whose plain values keep their blanks: a path may have some.

    What is a list or tuple, in brackets or by a comma, is read as mmengine does.
    """

    @staticmethod
    def _parse_iterable(val: str) -> Any:
        plain = val.strip('\'"')
        if ',' in plain or (plain[:1], plain[-1:]) in (('(', ')'), ('[', ']')):
            return DictAction._parse_iterable(val)
        return DictAction._parse_int_float_bool(plain)


def parse_options(options: list[str]) -> dict[str, Any]:
    """`KEY=VALUE` texts as `--cfg-options` reads them."""
    pairs = (option.split('=', 1) for option in options)
    return {key: OptionAction._parse_iterable(value) for key, value in pairs}

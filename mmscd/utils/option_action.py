"""`--cfg-options` of the tools. Imports mmengine, so `command_line` imports it when asked to."""

from __future__ import annotations

import re
from argparse import ArgumentError, ArgumentParser, Namespace
from typing import Any

from mmengine.config import DictAction


class OptionAction(DictAction):
    """mmengine's KEY=VALUE words, whose plain values keep their blanks: a path may have some, and
    2026_11_28 is no number.

    What is a list or tuple, in brackets or by a comma, is read as mmengine does.
    """

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, *_: Any, **__: Any
    ) -> None:
        """Add words to what is there; ArgumentError where one is none."""
        try:
            known = getattr(namespace, self.dest, None) or {}
            setattr(namespace, self.dest, known | parse_options(values))
        except ValueError as error:
            raise ArgumentError(self, str(error)) from None

    @staticmethod
    def _parse_iterable(val: str) -> Any:
        plain = val.strip('\'"')
        if ',' in plain or (plain[:1], plain[-1:]) in (('(', ')'), ('[', ']')):
            return DictAction._parse_iterable(val)
        return plain if '_' in plain else DictAction._parse_int_float_bool(plain)


def parse_options(options: list[str]) -> dict[str, Any]:
    """`KEY=VALUE` texts as `--cfg-options` reads them; ValueError: one is none."""
    found = {}
    for option in options:
        key, equals, value = option.partition('=')
        if not equals or not all(key.split('.')):
            raise ValueError(f'{option!r} is not KEY=VALUE, such as model.max_depth=80')
        if re.search(r'(^|[\[(,])[\s\'"]*(dict\(|{)', value):
            raise ValueError(f'{option!r}: name the parts of a dict one by one, {key}.NAME=VALUE')
        try:
            found[key] = OptionAction._parse_iterable(value)
        except AssertionError:  # of mmengine
            raise ValueError(f'{option!r}: a bracket is not closed, or not opened') from None
    return found

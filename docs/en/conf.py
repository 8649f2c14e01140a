"""Sphinx configuration: `sphinx-build -W docs/en docs/build/html` in the root of the repository."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from mmscd import __version__  # noqa: E402

project, author = 'mmscd', 'mmscd contributors'
copyright = author
release = version = __version__

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'sphinx.ext.viewcode']
source_suffix = {'.md': 'markdown'}
exclude_patterns = ['examples']
language = 'en'
highlight_language = 'none'  # plain blocks are trees of files
default_role = 'code'  # docstrings write code in single backticks

html_theme = 'furo'
html_title = f'mmscd {version}'
html_copy_source = False

myst_enable_extensions = ['colon_fence', 'dollarmath']
myst_heading_anchors = 3

autodoc_member_order = 'bysource'
autodoc_typehints = 'none'  # the docstrings say shapes and units, signatures the types
autodoc_default_options = dict(members=True)
napoleon_google_docstring, napoleon_numpy_docstring = True, False
napoleon_use_rtype = False

_CODE = re.compile(r'(`[^`]*`)')
_BULLET = re.compile(r'^\s*(?:[-*]|\d+\.)\s')


def plain_text(app, what, name, obj, options, lines) -> None:
    """Docstrings are plain text with `code` and lists, and not reStructuredText in the strict
    sense: bars, stars and underscores mean themselves, and a list may follow a sentence at once."""
    literal, out = False, []
    for line in lines:
        if line.strip() and not line.startswith(' '):
            literal = False
        table = line.lstrip().startswith('|')
        if table and not (out and out[-1].startswith('    |')):
            out += ['::', '']
        if table:
            line = '    ' + line
        elif not literal:
            parts = _CODE.split(line)
            parts[::2] = [_escape(part) for part in parts[::2]]
            line = ''.join(parts)
            if _BULLET.match(line) and out and out[-1].strip() and not _BULLET.match(out[-1]):
                out.append('')
        out.append(line)
        literal = literal or line.rstrip().endswith('::')
    lines[:] = out


def _escape(text: str) -> str:
    text = re.sub(r'(?<!\\)\|', r'\\|', text)
    text = re.sub(r'(?<=\w)_(?=\W|$)', r'\\_', text)
    # a star is itself unless it is one of a pair around words
    return re.sub(r'(?<![\w*])(\*\w[^*]*\w\*)(?!\*)|(?<!\*)\*(?!\*)', _star, text)


def _star(match: re.Match) -> str:
    return match[1] or r'\*'


def setup(app) -> None:
    """Before napoleon, which runs at priority 500."""
    app.connect('autodoc-process-docstring', plain_text, priority=400)

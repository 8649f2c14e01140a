"""The common style of the charts (`charts.mplstyle`), and how a figure becomes SVG or a file."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
from matplotlib.figure import Figure

from mmscd.utils.files import atomic_write

_STYLE = matplotlib.rc_params_from_file(
    Path(__file__).with_name('charts.mplstyle'), use_default_template=False
)
COLORS: list[str] = _STYLE['axes.prop_cycle'].by_key()['color']
DASH = COLORS[1]
INK, SOFT, RULE, PALE, CARD = '#1b2230', '#5b6577', '#e1e5eb', '#a9c4f2', '#ffffff'
# the names that a page's style sheet has for them: a chart inside is light or dark as the page is
_VARIABLES = dict(accent=COLORS[0], dash=DASH, ink=INK, soft=SOFT, rule=RULE, pale=PALE, card=CARD)
_FONTS = 'system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif'
_TIP, _XLINK = 'tip:', 'http://www.w3.org/1999/xlink'

# around every function that makes a figure or writes one
in_style = matplotlib.rc_context(_STYLE)


def tip(text: str) -> str:
    """The `gid` that gives an artist a tooltip in an SVG."""
    return _TIP + text


@in_style
def save_figure(figure: Figure, path: str | os.PathLike) -> None:
    """Write a figure as .png, .svg or .pdf (else ValueError), under a temporary name first."""
    suffix = Path(path).suffix.lower()
    if suffix not in ('.png', '.svg', '.pdf'):
        raise ValueError(f'a chart must end in .png, .svg or .pdf, got {str(path)!r}')
    stream = io.BytesIO()
    figure.savefig(stream, format=suffix[1:])
    atomic_write(path, stream.getvalue())


@in_style
def to_svg(figure: Figure, label: str, themed: bool = False) -> str:
    """An `<svg>` as large as the figure in pixels, with the tooltips of `tip`.

    `label` is for those who cannot see it. `themed`: part of a page, whose CSS variables are the
    colours; else it is a whole document.
    """
    stream = io.BytesIO()
    none = dict.fromkeys(('Creator', 'Date', 'Format', 'Type'))
    figure.savefig(stream, format='svg', metadata=none, transparent=themed)
    root = ElementTree.fromstring(stream.getvalue())
    for node in root.iter():
        _simplify(node, _VARIABLES if themed else {})
    box = root.attrib['viewBox']
    root.attrib = {'viewBox': box, 'role': 'img', 'aria-label': label}
    root.set('style', f'font-family:{_FONTS}')
    if not themed:
        root.attrib |= zip(('width', 'height'), box.split()[2:], strict=True)
        root.attrib |= {'xmlns': 'http://www.w3.org/2000/svg', 'xmlns:xlink': _XLINK}
    return ElementTree.tostring(root, encoding='unicode')


def _simplify(node: ElementTree.Element, variables: Mapping[str, str]) -> None:
    """Names without namespaces, ids of markers only, no clipping, colours by name, a tooltip."""
    node.tag = node.tag.rpartition('}')[2]
    node.attrib = {k.replace(f'{{{_XLINK}}}', 'xlink:'): v for k, v in node.attrib.items()}
    node.attrib.pop('clip-path', None)
    name = node.attrib.pop('id', '') if node.tag == 'g' else ''
    if name.startswith(_TIP):
        title = ElementTree.Element('title')
        title.text = name.removeprefix(_TIP)
        node.insert(0, title)
    if 'style' in node.attrib:
        style = re.sub(r'font-family: [^;]*;?', '', node.attrib['style'])
        for variable, color in variables.items():
            style = style.replace(color, f'var(--{variable})')
        node.set('style', style)

"""Charts: what is drawn stands where its numbers say, in the colours that they have."""

from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from mmscd.visualization.chart_style import save_figure
from mmscd.visualization.charts import (
    bar_chart,
    curve_panels,
    error_matrix,
    line_chart,
    spread_labels,
    trajectories,
)
from mmscd.visualization.colormap import color_table

XLINK = 'xmlns:xlink="http://www.w3.org/1999/xlink"'


def parse(svg):
    """The element, without namespaces."""
    svg = svg.replace('xmlns="http://www.w3.org/2000/svg"', '')
    return ElementTree.fromstring(svg if XLINK in svg else svg.replace('<svg ', f'<svg {XLINK} '))


def texts(root):
    return [node.text for node in root.iter('text')]


def lines_of_color(root, color):
    """Points of the paths of a colour, (N, 2) each."""
    found = []
    for path in root.iter('path'):
        if f'stroke: {color}' in path.get('style', ''):
            words = path.get('d').replace('M', '').replace('L', '').split()
            found.append(np.array(words, float).reshape(-1, 2))
    return found


def test_labels_are_moved_apart():
    assert spread_labels([], 16, 0, 100) == []
    assert spread_labels([50, 10], 16, 0, 100) == [50, 10]
    assert spread_labels([30, 28, 90], 16, 0, 100) == [44, 28, 90]
    assert spread_labels([99, 98], 16, 0, 100) == [100, 84]


def test_line_chart_places_points_on_its_axes():
    points = [(0, 0.0), (50, 0.5), (100, 1.0)]
    root = parse(line_chart(points, 'error', references={'a & b': 0.5}))
    (line,) = (part for part in lines_of_color(root, 'var(--accent)') if len(part) == 3)
    assert line[0] + line[2] == pytest.approx(2 * line[1], abs=1e-4)
    assert line[0, 0] < line[2, 0] and line[0, 1] > line[2, 1]
    (dashed,) = lines_of_color(root, 'var(--dash)')
    assert dashed[:, 1] == pytest.approx(line[1, 1], abs=1e-4)
    assert {'iteration', 'error', 'a & b 0.500', '0.2', '100'} <= set(texts(root))
    tips = [node.text for node in root.iter('title')]
    assert tips == ['error 0.0000 at 0', 'error 0.5000 at 50', 'error 1.0000 at 100']
    with pytest.raises(ValueError, match='at least one point'):
        line_chart([], 'y')


def test_line_chart_of_one_point_or_one_height():
    for points in ([(20, 0.3)], [(20, 0.3), (40, 0.3)]):
        root = parse(line_chart(points, 'loss', smoothed=points, x_max=60))
        heights = [float(t) for t in texts(root) if t[:2] == '0.']
        assert min(heights) < 0.3 < max(heights) and '60' in texts(root)


def test_a_chart_of_a_page_has_the_colours_of_the_page_only():
    svg = line_chart([(0, 1), (1, 2)], 'loss', smoothed=[(0, 1), (1, 2)], references={'x': 1.5})
    assert '#' not in svg.replace('xlink:href="#', '')
    assert 'url(' not in svg and 'http' not in svg


def test_names_are_escaped_and_no_formulas():
    name = '<script>alert("1")</script> $x_1$'
    svg = bar_chart({name: dict(fog=0.5)}, name, dict(fog=0.4), name)
    svg += line_chart([(0, 1), (1, 2)], name, references={name: 1.5})
    assert '<script' not in svg and svg.count('&lt;script&gt;') > 5
    assert texts(parse(bar_chart({name: dict(fog=0.5)}, 'DEE'))).count(name) == 1
    figures = [
        error_matrix({name: {name: cell(0.2)}}, name),
        trajectories({name: np.eye(3)}, name),
        curve_panels({name: {name: ([1, 2], [1, 2]), 'b': ([1], [1])}}, name),
    ]
    for figure in figures:
        figure.draw_without_rendering()


def test_bars_are_as_long_as_their_numbers():
    values = {'base': dict(fog=0.5, dark=0.25), 'scd': dict(fog=0.4, dark=0.9999)}
    svg = bar_chart(values, 'DEE', baseline=dict(fog=0.5), baseline_name='published')
    assert svg.startswith('<svg') and 'http-equiv' not in svg and 'var(' not in svg
    root = parse(svg)
    ends = {}
    for group in root.iter('g'):
        title, path = group.find('title'), group.find('path')
        if title is not None:
            x = [float(word) for word in path.get('d').split() if word[0].isdigit()][::2]
            ends[title.text] = (min(x), max(x))
    start, unit = ends['base, fog: 0.5000'][0], np.ptp(ends['base, fog: 0.5000']) / 0.5
    assert np.ptp(ends['scd, fog: 0.4000']) == pytest.approx(0.4 * unit, rel=1e-4)
    assert np.ptp(ends['base, dark: 0.2500']) == pytest.approx(0.25 * unit, rel=1e-4)
    assert ends['published, fog: 0.5000'] == pytest.approx([start + 0.5 * unit] * 2, rel=1e-4)
    assert len(ends) == 5 and {'published', 'base', 'scd', '0.400'} <= set(texts(root))
    # a number at the end of the longest bar is not cut off
    number = next(node for node in root.iter('text') if node.text == '1.000')
    assert float(number.get('x')) + 30 < float(root.get('width'))


def cell(abs_rel, share=0.5):
    count = 0 if np.isnan(abs_rel) else 10
    return dict(abs_rel=abs_rel, share=share, median_signed=-0.1, n_pixels=count)


def test_cells_have_the_colours_of_their_errors(tmp_path):
    values = [[0.0, 0.25, 0.5], [0.1, 9.0, float('nan')]]
    names, columns = ('all', 'traffic light'), ('all', '0-5 m', '5-80 m')
    rows = {
        name: {column: cell(value) for column, value in zip(columns, line, strict=True)}
        for name, line in zip(names, values, strict=True)
    }
    figure = error_matrix(rows, 'title', max_error=0.5)
    save_figure(figure, tmp_path / 'errors.png')
    picture = cv2.imread(str(tmp_path / 'errors.png'))[..., ::-1]
    for line, row in enumerate(values):
        for column, value in enumerate(row):
            # beside the numbers in the middle of the cell
            place = figure.axes[0].transData.transform((column - 0.4, line - 0.4))
            x, y = np.divide(place, figure.bbox.size) * [picture.shape[1], picture.shape[0]]
            pixel = picture[round(picture.shape[0] - y), round(x)]
            if np.isnan(value):
                assert (pixel == 255).all()
            else:
                index = round(min(value / 0.5, 1) * 255)
                assert (pixel == color_table('viridis')[index]).all()


def test_trajectories_keep_their_shape_or_say_how_much_they_are_stretched():
    turn = np.linspace(0, 6, 50)
    circle = np.stack([np.sin(turn), 0 * turn, np.cos(turn)], 1) * 100
    straight = np.stack([np.sin(turn), 0 * turn, 50 * turn], 1)
    for tracks, words in (({'truth': circle}, 'equal axes'), ({'a': straight}, 'stretched ')):
        figure = trajectories(tracks, '04')
        figure.draw_without_rendering()
        axes = figure.axes[0]
        assert words in axes.get_title(loc='left')
        stretch = 1 if words == 'equal axes' else int(axes.get_title(loc='left').split()[-1][:-2])
        (forward, sideways) = (np.ptp(axes.transData.transform([[0, 0], end]), axis=0).max()
                               for end in ([1, 0], [0, 1]))  # fmt: skip
        assert sideways == pytest.approx(stretch * forward, rel=1e-3)
        # to the right is downwards
        assert axes.transData.transform([0, 1])[1] < axes.transData.transform([0, 0])[1]


def test_figures_are_written_whole_or_refused(tmp_path):
    figure = curve_panels({'loss': {'a': ([1, 2], [1, float('nan')])}})
    for suffix in ('.png', '.svg', '.pdf'):
        save_figure(figure, tmp_path / f'a{suffix}')
    assert len(list(tmp_path.iterdir())) == 3
    with pytest.raises(ValueError, match=r'\.png, \.svg or \.pdf.*a\.gif'):
        save_figure(figure, tmp_path / 'a.gif')

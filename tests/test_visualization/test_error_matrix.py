"""The coloured table of errors: every cell has the colour of its number."""

import numpy as np

from mmscd.visualization.colormap import color_table
from mmscd.visualization.error_matrix import draw_error_matrix


def cell(abs_rel, share=0.5):
    count = 0 if np.isnan(abs_rel) else 10
    return dict(abs_rel=abs_rel, share=share, median_signed=-0.1, n_pixels=count)


def test_cells_have_the_colours_of_their_errors():
    values = [[0.0, 0.25, 0.5], [0.1, 9.0, float('nan')]]
    names, columns = ('all', 'traffic light'), ('all', '0-5 m', '5-80 m')
    rows = {
        name: {column: cell(value) for column, value in zip(columns, line, strict=True)}
        for name, line in zip(names, values, strict=True)
    }
    picture = draw_error_matrix(rows, 'title', max_error=0.5)
    assert picture.dtype == np.uint8
    # the last cell ends 12 before the right edge, the last row 12 above the lower one
    height, width = picture.shape[:2]
    for line, row in enumerate(values):
        for column, value in enumerate(row):
            corner = picture[height - 12 - 38 * (2 - line), width - 12 - 84 * (3 - column)]
            if np.isnan(value):
                assert (corner == (28, 28, 32)).all()
            else:
                index = round(min(value / 0.5, 1) * 255)
                assert (corner == color_table('viridis')[index]).all()

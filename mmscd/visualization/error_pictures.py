"""The pictures of an analysis of errors: a coloured table, and the worst images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmscd.evaluation.error_run import ErrorAnalysis, read_shown

from .chart_style import save_figure
from .charts import error_matrix
from .depth_visualizer import DepthVisualizer
from .rendering import save_image, stack_panels


def save_error_pictures(
    analysis: ErrorAnalysis, folder: Path, panel_width: int = 480, max_error: float = 0.5
) -> None:
    """Write `errors.png` and `worst.png`; image, depth and error are `panel_width` wide each."""
    title = 'abs_rel / median signed error, share of pixels'
    save_figure(error_matrix(analysis.tally.summarize(), title, max_error), folder / 'errors.png')
    save_image(draw_worst(analysis, panel_width, max_error), folder / 'worst.png')


def draw_worst(analysis: ErrorAnalysis, panel_width: int, max_error: float) -> np.ndarray:
    """image | depth | error of the worst images below one another, uint8 RGB."""
    visualizer = DepthVisualizer(
        'worst', analysis.protocol, panel_width, max_error, direction='horizontal'
    )
    rows = []
    for rank, kept in enumerate(analysis.worst, 1):
        parts = Path(kept['img_path']).with_suffix('').parts
        name = ' '.join(p for p in parts[-4:] if p not in ('image_02', 'image_03', 'data'))
        arrays = read_shown(kept), kept['inv_depth'], kept['gt']
        rows.append(visualizer.draw_arrays(*arrays, f'{rank}. {name}'))
    height, width, _ = np.max([row.shape for row in rows], axis=0)
    padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
    if all(row.shape[0] == height for row in padded):
        return stack_panels(padded, 'vertical')
    return np.concatenate(padded)

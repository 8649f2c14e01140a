"""A page in the browser: drop a picture, see its depth, corrupt it, compare models.

Example: python demo/app.py --model Monodepth2=CONFIG,CHECKPOINT --model SCD=CONFIG,CHECKPOINT

Needs gradio: pip install -e .[demo]
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from mmscd.utils.command_line import make_parser, parse_model, run_tool

NONE = 'none'
MAX_WIDTH = 1280
MIN_WIDTH = 320


class Comparison:
    """Depth of a picture by several models, clean and corrupted.

    Args:
        models: (name, config, weights) each.
        device: see `DepthInferencer`.
    """

    def __init__(self, models: Sequence[tuple[str, Any, Any]], device: str | None = None) -> None:
        from mmscd import DepthInferencer

        self.inferencers = {
            name: DepthInferencer(config, weights, device, show_progress=False)
            for name, config, weights in models
        }
        if len(self.inferencers) < len(models):
            raise ValueError('each --model needs a name of its own')

    def __call__(
        self, image: np.ndarray | None, corruption: str, severity: int, colormap: str = 'magma'
    ) -> list[Any]:
        """The corrupted picture, then for each model its depth and a sentence about it.

        Args:
            image: uint8 RGB; wide ones are shrunk to 1280 pixels. None gives None everywhere.
            corruption: one of `CORRUPTIONS`, or 'none'.
            severity: 0 (clean) to 5.
            colormap: see `DepthPainter`. The colours span the depths of the clean picture, so that
                what changes is seen.
        """
        from mmscd.corruptions import corrupt
        from mmscd.inference.pictures import DepthPainter

        if image is None:
            return [None] * (1 + 2 * len(self.inferencers))
        image = shrink_to(image, MAX_WIDTH)
        seen = image
        if corruption != NONE and severity > 0:
            seen = corrupt(image, corruption, int(severity))
        outputs: list[Any] = [seen]
        for inferencer in self.inferencers.values():
            results = inferencer([image, seen])['predictions']
            clean, depth = (result['pred_depth'] for result in results)
            # the page's own labels would lie on a scale bar
            painter = DepthPainter(colormap, scale_bar=False)
            low, high = painter.inverse_limits(clean)
            outputs.append(painter.paint(depth, (low, high)))
            unit = ' m' if inferencer.metric else ' (up to scale)'
            outputs.append(
                f'depth changes by {100 * relative_change(clean, depth):.1f} %; '
                f'the colours span {1 / high:.3g} to {1 / low:.3g}{unit}'
            )
        return outputs


def relative_change(clean: np.ndarray, depth: np.ndarray) -> float:
    """Mean relative difference of two depth maps, whatever their scales."""
    change = np.log(depth) - np.log(clean)
    return float(np.expm1(np.abs(change - np.median(change))).mean())


def shrink_to(image: np.ndarray, width: int) -> np.ndarray:
    """An image that is at most `width` pixels wide."""
    if image.shape[1] <= width:
        return image
    size = (width, max(1, round(image.shape[0] * width / image.shape[1])))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def build_app(comparison: Comparison) -> Any:
    """The page, a `gradio.Blocks`."""
    # gradio calls home when it is imported and when it serves; set it to True if you like that
    os.environ.setdefault('GRADIO_ANALYTICS_ENABLED', 'False')
    try:
        import gradio
    except ImportError as error:
        raise ImportError(
            f'the app needs gradio ({error}): run `pip install -e .[demo]` in the repository'
        ) from None
    from mmscd.corruptions import CORRUPTIONS
    from mmscd.visualization.colormap import COLORMAPS

    def show(title: str, **options: Any) -> Any:
        # gradio's own label would lie on the picture
        gradio.Markdown(f'**{title}**')
        return gradio.Image(show_label=False, **options)

    with gradio.Blocks(title='mmscd: depth that survives bad conditions') as app:
        gradio.Markdown(
            '# Depth that survives bad conditions\n'
            'Drop a picture of a street, then slide the severity of a corruption.'
        )
        # columns narrower than this go below one another, as on a phone
        with gradio.Row():
            with gradio.Column(min_width=MIN_WIDTH):
                picture = show('picture', type='numpy')
            with gradio.Column(min_width=MIN_WIDTH):
                seen = show('what the networks see', interactive=False)
        with gradio.Row():
            corruption = gradio.Dropdown([NONE, *CORRUPTIONS], value='fog', label='corruption')
            severity = gradio.Slider(0, 5, value=0, step=1, label='severity (0: clean)')
            colormap = gradio.Dropdown(sorted(COLORMAPS), value='magma', label='colours')
        outputs = [seen]
        with gradio.Row():
            for name in comparison.inferencers:
                with gradio.Column(min_width=MIN_WIDTH):
                    outputs.append(show(name, interactive=False))
                    outputs.append(gradio.Markdown())
        inputs = [picture, corruption, severity, colormap]
        for trigger in (picture.change, corruption.change, severity.release, colormap.change):
            trigger(comparison, inputs, outputs)
    return app


def run(args: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C."""
    comparison = Comparison(args.model, args.device)
    build_app(comparison).launch(server_name=args.host, server_port=args.port)


def main() -> None:
    """Run the command line."""
    parser = make_parser(__doc__)
    parser.add_argument(
        '--model',
        action='append',
        required=True,
        type=parse_model,
        metavar='NAME=CONFIG,CHECKPOINT',
        help='give it once for each model; the first one is the baseline',
    )
    parser.add_argument('--device', help='cpu, cuda:0, ...; default: the best there is')
    parser.add_argument('--host', default='127.0.0.1', help='0.0.0.0 serves the network')
    parser.add_argument('--port', type=int, default=7860)
    run_tool(parser, run)


if __name__ == '__main__':
    main()

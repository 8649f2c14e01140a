"""Contact sheet of a rendered set: image, inverse depth and labels side by side."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mmscd.datasets.formats.images import read_depth_png, read_image, read_labels

from . import writer
from .writer import Params

# One distinct colour per train id, RGB; the last row stands for 255 (ignore).
PALETTE = np.array(
    [
        (110, 80, 120),
        (220, 90, 210),
        (130, 130, 125),
        (105, 110, 160),
        (190, 150, 130),
        (170, 170, 185),
        (250, 160, 40),
        (240, 230, 30),
        (60, 150, 50),
        (150, 235, 150),
        (120, 180, 235),
        (230, 40, 60),
        (255, 90, 0),
        (30, 60, 190),
        (40, 0, 90),
        (0, 80, 110),
        (0, 110, 130),
        (20, 20, 220),
        (110, 20, 40),
        (0, 0, 0),
    ],
    np.uint8,
)


def colour_depth(depth: np.ndarray) -> np.ndarray:
    """Colours inverse depth; metres (H, W) in, BGR uint8 (H, W, 3) out, black where 0."""
    near = np.where(depth > 0, 1 / np.maximum(depth, 1e-6), 0)
    tone = np.clip(np.sqrt(near / 0.2), 0, 1)
    out = cv2.applyColorMap((tone * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    out[depth <= 0] = 0
    return out


def contact_sheet(
    root: Path | str, params: Params, per_drive: int = 1, most: int = 24
) -> np.ndarray:
    """Builds the sheet from the files of a rendered set.

    Args:
        root: Folder of the set.
        params: Parameters of the set.
        per_drive: Frames shown of each drive.
        most: Number of drives shown; of more, some between the first and the last are left out.

    Returns:
        BGR image, uint8.
    """
    rows, drives = [], list(params.drives().items())
    shown = np.linspace(0, len(drives) - 1, min(len(drives), most)).round().astype(int)
    for drive, (_, frames) in (drives[k] for k in shown):
        for index in np.linspace(0, frames - 1, per_drive + 2)[1:-1].round().astype(int):
            files = writer.frame_files(Path(root), drive, int(index), False)
            image = read_image(files['image'])[..., ::-1]
            depth = read_depth_png(files['depth'])
            labels = read_labels(files['labels'])
            colours = PALETTE[np.minimum(labels, len(PALETTE) - 1)][..., ::-1]
            rows.append(np.hstack([image, colour_depth(depth), colours]))
    return np.vstack(rows)

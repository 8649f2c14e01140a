"""What the student and its semantic teacher see: sheets of features and graphs.

A feature map is drawn by its first three principal components as red, green and blue: LayerNorm
over the channels of every cell, as in the anchor loss; components of all cells of the clean image;
colour limits at its 2nd and 98th percentile. The corrupted image is drawn with the components and
limits of the clean one, so equal colours mean equal features there. Colours of the two models have
nothing to do with each other: compare what is set apart from what.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from mmscd.corruptions import corrupt, image_id_from_path
from mmscd.datasets.formats.images import read_image
from mmscd.geometry import disp_to_depth
from mmscd.models.distillers import GraphPair
from mmscd.models.loading import load_model
from mmscd.models.model_names import network_size
from mmscd.models.outputs import StepOutputs
from mmscd.registry import TEACHERS

from .colormap import color_table
from .rendering import add_head, depth_panel, panel_size, resize_image, stack_panels


class Look(NamedTuple):
    """What both models make of one image."""

    image: np.ndarray
    inv_depth: np.ndarray
    student: Tensor
    teacher: Tensor
    pair: GraphPair
    grid: tuple[int, int]


class FeatureColours:
    """Colours of feature maps by principal components, fitted on one map (C, h, w)."""

    def __init__(self, features: Tensor) -> None:
        cells = self._cells(features)
        self.mean = cells.mean(0)
        basis = np.linalg.svd(cells - self.mean, full_matrices=False)[2][:3]
        # a component's sign is arbitrary: its largest entry shall be positive
        largest = np.take_along_axis(basis, np.abs(basis).argmax(1)[:, None], 1)
        self.basis = basis * np.sign(largest)
        scores = (cells - self.mean) @ self.basis.T
        self.low, self.high = np.percentile(scores, (2, 98), axis=0)

    def __call__(self, features: Tensor, size: tuple[int, int]) -> np.ndarray:
        """uint8 RGB (h, w, 3) at `size`, of a map (C, h', w') of the same network."""
        scores = (self._cells(features) - self.mean) @ self.basis.T
        shares = (scores - self.low) / np.maximum(self.high - self.low, 1e-9)
        shares = shares.reshape(*features.shape[1:], -1)
        shares = np.pad(shares, ((0, 0), (0, 0), (0, 3 - shares.shape[-1])))
        colours = (np.clip(shares, 0, 1) * 255).round().astype(np.uint8)
        return cv2.resize(colours, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)

    @staticmethod
    def _cells(features: Tensor) -> np.ndarray:
        cells = features.flatten(1).T.double()
        return torch.layer_norm(cells, cells.shape[1:]).cpu().numpy()


def edge_panel(
    row: np.ndarray, vertex: int, grid: tuple[int, int], picture: np.ndarray, title: str
) -> np.ndarray:
    """A vertex's row (N,) of an adjacency as a heat map over a dim picture (h, w, 3).

    `grid` is (rows, columns), N together; the vertex is framed.
    """
    height, width = picture.shape[:2]
    heat = cv2.resize(row.reshape(grid).astype(np.float32), (width, height))
    share = np.clip(heat / max(row.max(), 1e-12), 0, 1)[..., None]
    colours = color_table('inferno')[(share[..., 0] * 255).round().astype(np.uint8)]
    dim = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None] * 0.6
    drawn = (dim * (1 - share) + colours * share).round().astype(np.uint8)
    top, left = vertex // grid[1] * height / grid[0], vertex % grid[1] * width / grid[1]
    corner = (round(left + width / grid[1]) - 1, round(top + height / grid[0]) - 1)
    cv2.rectangle(drawn, (round(left), round(top)), corner, (255, 255, 255), 1)
    return add_head(drawn, title, ('0', color_table('inferno'), f'{row.max():.2g}'))


def vertex_of(pixel: tuple[int, int], shape: tuple[int, int], grid: tuple[int, int]) -> int:
    """Index of the vertex that pixel (u, v) of an image `shape` (H, W) lies in, or ValueError."""
    u, v = pixel
    if not (0 <= u < shape[1] and 0 <= v < shape[0]):
        raise ValueError(f'the pixel {u} {v} is outside of the image {shape[1]}x{shape[0]}')
    row, column = (np.array([v, u]) + 0.5) * grid // shape
    return int(row * grid[1] + column)


class Looker:
    """A depth network with its distiller and teacher, ready to look at images.

    The checkpoint is of a training with the config's distiller; `size` is (width, height) of the
    network's input, None: of the test pipeline; `index` says which of the distiller's graphs.
    `cfg` changes in place. Raises ValueError: no distiller, no graph in the checkpoint, or no size.
    """

    def __init__(
        self,
        cfg: Config,
        checkpoint: str,
        size: tuple[int, int] | None = None,
        index: int = 0,
        device: str = 'cpu',
    ) -> None:
        if not cfg.model.get('distiller'):
            raise ValueError('the config has no model.distiller: there are no graphs to draw')
        self.model = load_model(cfg, checkpoint, need='all', device=device)
        self.distiller = self.model.distiller
        if not 0 <= index < len(self.distiller.pairs):
            raise ValueError(f'--pair must be below {len(self.distiller.pairs)}, got {index}')
        self.distiller.attach_teacher(TEACHERS.build(self.distiller.teacher_cfg).to(device))
        self.size, self.index, self.device = size or network_size(cfg), index, device

    @torch.no_grad()
    def look(self, image: np.ndarray) -> Look:
        """Run both models on an image, uint8 RGB (H, W, 3) of any size."""
        image = resize_image(image, self.size[::-1])
        target = torch.from_numpy(image).to(self.device).permute(2, 0, 1)[None] / 255
        outputs = StepOutputs(target=target)
        name = self.distiller.passes[0]
        with self.distiller.recording(self.model, name, outputs.student_feats):
            disps, _ = self.model.estimate_disps(self.model.data_preprocessor.normalise(target))
        maps = outputs.student_feats[name]
        outputs.student_feats = dict.fromkeys(self.distiller.passes, maps)
        self.distiller.run_teacher(outputs)
        assert outputs.teacher is not None
        number = self.index * len(self.distiller.passes)
        pair = self.distiller.graph_pairs(outputs)[number][1]
        s, t = self.distiller.pairs[self.index]
        inv_depth = (1 / disp_to_depth(disps[0][0, 0], *self.model.depth_range)).cpu().numpy()
        student, teacher = maps[s][0].float(), outputs.teacher['feats'][t][0]
        return Look(image, inv_depth, student, teacher, pair, self.distiller.grid(target))


def draw_column(
    look: Look, clean: Look, vertex: int | None, title: str, panel_width: int = 640
) -> np.ndarray:
    """The panels of one image below one another, features in the colours of the clean image.

    `vertex`: whose edges are drawn; None draws none.
    """
    size = panel_size(look.image.shape[:2], panel_width)
    picture = resize_image(look.image, size)
    panels = [add_head(picture, title)]
    for role in ('student', 'teacher'):
        features = getattr(look, role)
        colours = FeatureColours(getattr(clean, role))(features, size)
        panels.append(add_head(colours, f'{role} features, {" x ".join(map(str, features.shape))}'))
    panels.append(depth_panel(look.inv_depth, size))
    if vertex is not None:
        for role in ('student', 'teacher'):
            row = getattr(look.pair, role).adjacency[0, vertex].detach().cpu().numpy()
            title = f"edges in the {role}'s graph"
            panels.append(edge_panel(row, vertex, look.grid, picture, title))
    return stack_panels(panels, 'vertical')


def draw_sheet(
    looker: Looker,
    path: Path,
    pixel: tuple[int, int] | None = None,
    corruption: tuple[str, int] | None = None,
    corrupted: Path | None = None,
) -> np.ndarray:
    """The sheet of one frame, uint8 RGB: the image as it is, and corrupted beside it.

    `pixel`: (u, v) in the image file; the edges of its vertex are drawn, ValueError where no loss
    has a learnt graph. `corruption`: name and severity, applied at the network's resolution as the
    benchmark does it; or `corrupted`, a file with the same frame in bad weather.
    """
    original = read_image(path)
    clean = looker.look(original)
    vertex = None
    if pixel is not None:
        if not clean.pair.teacher.learnt:
            raise ValueError('--pixel: none of the configured losses has a learnt graph')
        vertex = vertex_of(pixel, original.shape[:2], clean.grid)
    columns = [draw_column(clean, clean, vertex, path.stem)]
    if corrupted is not None:
        look = looker.look(read_image(corrupted))
        columns.append(draw_column(look, clean, vertex, corrupted.stem))
    elif corruption is not None:
        name, severity = corruption
        picture = corrupt(clean.image, name, severity, image_id=image_id_from_path(path))
        title = f'{name}, severity {severity}'
        columns.append(draw_column(looker.look(picture), clean, vertex, title))
    return stack_panels(columns, 'horizontal')

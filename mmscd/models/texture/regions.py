"""Random regions of images, drawn for a whole batch at once: cells, rectangles, block shuffles.

All take uniform numbers, none draws them. Sizes differ from sample to sample, so cells are held as
index vectors of rows and columns, and areas as integers: sums of integers are exact on any device.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


def log_uniform_size(draws: Tensor, low: int, high: int) -> Tensor:
    """Integers in [low, high] from draws in [0, 1), as many between 16 and 32 as between 32 and 64;
    0 < low, and a `high` below `low` counts as `low`."""
    high = max(low, high)
    return (low * ((high + 1) / low) ** draws).long().clamp(low, high)


def keep_within(area: Tensor, budget: Tensor, priority: Tensor | None = None) -> Tensor:
    """bool (B, N): regions kept so that their areas, int64 (B, N), sum up to at most a budget (B,);
    they are taken in ascending order of `priority` (B, N), or in the order given."""
    if priority is None:
        return area.cumsum(1) <= budget[:, None]
    order = priority.argsort(stable=True, dim=1)
    kept = area.gather(1, order).cumsum(1) <= budget[:, None]
    return kept.gather(1, order.argsort(dim=1))


def grid_shape(smallest: int, shape: tuple[int, int]) -> tuple[int, int]:
    """How many rows and columns of cells of at least `smallest` pixels fit into (H, W)."""
    rows, columns = (max(1, pixels // smallest) for pixels in shape)
    return rows, columns


class Cells(NamedTuple):
    """A grid that tiles each image: cell (rows[b, y], columns[b, x]) holds pixel (y, x)."""

    rows: Tensor
    columns: Tensor
    shape: tuple[int, int]

    def spread(self, values: Tensor) -> Tensor:
        """Values of cells (B, C, *shape) at their pixels (B, C, H, W)."""
        at_rows = self.rows[:, None, :, None].expand(-1, values.shape[1], -1, values.shape[3])
        tall = values.gather(2, at_rows)
        at_columns = self.columns[:, None, None].expand(-1, values.shape[1], tall.shape[2], -1)
        return tall.gather(3, at_columns)

    def area(self) -> Tensor:
        """Pixels of each cell, int64 (B, *shape); 0 for cells that an image does not have."""
        height, width = (self._members(i).sum(2) for i in (0, 1))
        return height[:, :, None] * width[:, None]

    def mean(self, values: Tensor) -> Tensor:
        """Mean over each cell, (B, C, H, W) -> (B, C, *shape)."""
        rows, columns = (self._members(i).to(values.dtype)[:, None] for i in (0, 1))
        total = rows @ values @ columns.transpose(2, 3)
        return total / self.area().clamp(min=1)[:, None]

    def _members(self, axis: int) -> Tensor:
        """bool (B, cells, pixels) along one axis."""
        cells = torch.arange(self.shape[axis], device=self.rows.device)
        lines = self.columns if axis else self.rows
        return lines[:, None] == cells[:, None]


def cell_grid(
    size: tuple[Tensor, Tensor],
    offset: tuple[Tensor, Tensor],
    shape: tuple[int, int],
    smallest: int,
) -> Cells:
    """Grids whose cells are nowhere smaller than `size`, heights and widths int64 (B,): what is
    left at borders joins a neighbour. `offset`, draws (B,) each: where the first cell begins, in
    cells; `shape` (H, W) of the images; no size is below `smallest`."""
    lines = []
    for pixels, length, share in zip(shape, size, offset, strict=True):
        first = (share * length).long()
        full = ((pixels - first) // length).clamp(min=1)
        index = torch.arange(pixels, device=length.device) - first[:, None]
        index = index.div(length[:, None], rounding_mode='floor')
        lines.append(index.clamp(min=0).minimum(full[:, None] - 1))
    return Cells(lines[0], lines[1], grid_shape(smallest, shape))


def place_rectangles(
    draws: Tensor, count: Tensor, smallest: int, largest: int, budget: Tensor, shape: tuple
) -> tuple[Tensor, Tensor]:
    """Random rectangles in images of `shape` (H, W) whose areas sum up to at most `budget`, int64
    (B,).

    `draws` (B, K, 4) in [0, 1): height, width, top, left, with sides from `smallest` to `largest`
    pixels. `count` (B,) of the K are wanted; all shrink where the budget is too small, and some are
    left out where they would fall below `smallest`. Gives int64 (B, K, 4): top, left, height,
    width; and bool (B, K): which of them are there.
    """
    wanted = torch.arange(draws.shape[1], device=draws.device) < count[:, None]
    sides = [
        log_uniform_size(draws[..., i], smallest, min(largest, pixels)).clamp(max=pixels)
        for i, pixels in enumerate(shape)
    ]
    total = (sides[0] * sides[1] * wanted).sum(1).clamp(min=1)
    shrink = (budget / total).clamp(max=1).sqrt()[:, None]
    sides = [
        (side * shrink).long().clamp(min=min(smallest, pixels))
        for side, pixels in zip(sides, shape, strict=True)
    ]
    corners = [
        (draws[..., 2 + i] * (pixels - side + 1)).long()
        for i, (side, pixels) in enumerate(zip(sides, shape, strict=True))
    ]
    kept = keep_within(sides[0] * sides[1] * wanted, budget) & wanted
    return torch.stack([*corners, *sides], -1), kept


def draw_rectangles(rectangles: Tensor, height: Tensor, softness: Tensor, shape: tuple) -> Tensor:
    """Sum (B, 1, H, W), dtype of `height`, of rectangles int64 (B, K, 4): top, left, height, width.

    `height` (B, K): value inside, 0 leaves one out; edges lie inside their bounds and take the
    share `softness` (B, K) in [0, 1] of the half side; 1 is a smooth bump. `shape`: (H, W).
    """
    profiles = []
    for axis, pixels in enumerate(shape):
        first, side = rectangles[..., axis, None], rectangles[..., axis + 2, None]
        pixel = torch.arange(pixels, device=height.device) + 0.5
        depth = torch.minimum(pixel - first, first + side - pixel).to(height.dtype)
        ramp = (softness[..., None] * side / 2).clamp(min=0.5).to(height.dtype)
        share = (depth / ramp).clamp(0, 1)
        profiles.append(share * share * (3 - 2 * share))
    rows, columns = profiles
    return ((rows * height[..., None]).transpose(1, 2) @ columns)[:, None]


def block_shuffle(
    size: Tensor, offset: Tensor, block: Tensor, draws: Tensor, budget: Tensor, shape: tuple
) -> tuple[Tensor, Tensor]:
    """Exchange square patches of side `size` inside blocks of block x block patches, int64 (B,)
    each.

    `offset` (B, 2) in [0, 1): where the first patch begins, in patches. `draws` (B, 2, rows,
    columns) in [0, 1): the order in which blocks are taken, and that of the patches inside; not
    more patches fit than it has room for. `budget` (B,): pixels that the blocks may cover; `shape`:
    (H, W).

    Gives for every pixel the flat index of the one that comes to its place, int64 (B, H W), and the
    blocks that take part, bool (B, 1, H, W). Parts of patches at borders stay where they are.
    """
    rows, columns = draws.shape[2:]
    first = (offset * size[:, None]).long()
    pixel, cell, full = [], [], []
    for axis, pixels in enumerate(shape):
        position = torch.arange(pixels, device=size.device)
        pixel.append(position)
        shifted = position - first[:, axis, None]
        cell.append(shifted.div(size[:, None], rounding_mode='floor'))
        full.append((pixels - first[:, axis]) // size)
    source, chosen = _shuffle_cells(block, draws, budget, size, full)
    inside = [(c >= 0) & (c < f[:, None]) for c, f in zip(cell, full, strict=True)]
    inside = inside[0][:, :, None] & inside[1][:, None]
    here = (
        cell[0].clamp(0, rows - 1)[:, :, None] * columns + cell[1].clamp(0, columns - 1)[:, None]
    ).flatten(1)
    moved = source.gather(1, here) - here
    there = (source.gather(1, here) // columns - here // columns) * shape[1]
    there = there + source.gather(1, here) % columns - here % columns
    mask = inside.flatten(1) & chosen.gather(1, here)
    place = (pixel[0][:, None] * shape[1] + pixel[1]).flatten()
    index = torch.where(mask & (moved != 0), place + there * size[:, None], place)
    return index, mask.reshape(-1, 1, *shape)


def _shuffle_cells(
    block: Tensor, draws: Tensor, budget: Tensor, size: Tensor, full: list[Tensor]
) -> tuple[Tensor, Tensor]:
    """Source patch of every patch, int64 (B, N), and whether its block takes part, bool (B, N)."""
    rows, columns = draws.shape[2:]
    device = draws.device
    row, column = torch.arange(rows, device=device), torch.arange(columns, device=device)
    extent = [
        (f[:, None] - torch.arange(n, device=device) * block[:, None]).clamp(min=0)
        for f, n in zip(full, (rows, columns), strict=True)
    ]
    extent = [e.minimum(block[:, None]) for e in extent]
    area = extent[0][:, :, None] * extent[1][:, None] * (size * size)[:, None, None]
    kept = keep_within(area.flatten(1), budget, draws[:, 0].flatten(1))
    group = (row // block[:, None])[:, :, None] * columns + (column // block[:, None])[:, None]
    exists = (row < full[0][:, None])[:, :, None] & (column < full[1][:, None])[:, None]
    group, exists = group.flatten(1), exists.flatten(1)
    chosen = kept.gather(1, group) & exists
    number = torch.arange(rows * columns, device=device)
    # patches that stay are groups of their own
    group = torch.where(chosen, group, rows * columns + number)
    natural = (group + number / len(number)).argsort(stable=True, dim=1)
    shuffled = (group + draws[:, 1].flatten(1)).argsort(stable=True, dim=1)
    return shuffled.gather(1, natural.argsort(dim=1)), chosen

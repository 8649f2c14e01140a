"""Numbers that tell whether a graph says something."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .isomorphic_graph import ModelGraph


def self_mass(scores: Tensor) -> Tensor:
    """What a vertex would give itself if the diagonal were not masked, (B, N) in (0, 1)."""
    own = scores.diagonal(dim1=1, dim2=2)
    return (own - scores.logsumexp(-1)).exp()


def entropy(log_adjacency: Tensor) -> Tensor:
    """Entropy of every row over that of the uniform row, (B, N) in [0, 1]."""
    count = log_adjacency.shape[-1] - 1
    return -(log_adjacency.exp() * log_adjacency).sum(-1) / max(math.log(count), 1e-12)


def same_class_mass(adjacency: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Share of a row's mass on labelled neighbours that lies on the vertex's own class, and the
    share of these neighbours that has that class (chance): two scalars, means over labelled
    vertices.

    `adjacency` (B, N, N) has rows of sum 1 and the diagonal 0; of the integer `labels` (B, N)
    negative ones and 255 are no class and do not count, neither as vertices nor as neighbours.
    """
    known = (labels >= 0) & (labels != 255)
    neighbours = known[:, None, :].expand_as(adjacency).to(adjacency.dtype)
    neighbours = neighbours * (
        1 - torch.eye(labels.shape[1], dtype=adjacency.dtype, device=adjacency.device)
    )
    same = (labels[:, :, None] == labels[:, None, :]) * neighbours
    tiny = torch.finfo(adjacency.dtype).tiny
    mass = (adjacency * same).sum(-1) / (adjacency * neighbours).sum(-1).clamp(min=tiny)
    chance = same.sum(-1) / neighbours.sum(-1).clamp(min=1)
    # sums, as a selection of vertices would have a shape that depends on data
    mass, chance = (torch.where(known, x, 0).sum() / known.sum() for x in (mass, chance))
    return mass, chance


@torch.no_grad()
def describe_graphs(
    graphs: Sequence[ModelGraph], logits: Tensor | None, grid: tuple[int, int]
) -> dict[str, Tensor]:
    """Numbers that tell whether the teacher's graphs say something, means over graphs.

    `graph_self_mass` and `graph_entropy` (of A_t, 1 is uniform); with logits (B, classes, h, w)
    also `graph_same_class` and `graph_chance`, see `same_class_mass`. `grid`: (rows, columns) of
    vertices.
    """
    numbers: dict[str, list[Tensor]] = dict(graph_self_mass=[], graph_entropy=[])
    labels = None
    if logits is not None:
        numbers.update(graph_same_class=[], graph_chance=[])
        labels = F.interpolate(logits, grid, mode='bilinear', align_corners=False).argmax(1)
    for graph in graphs:
        numbers['graph_self_mass'].append(self_mass(graph.scores).mean())
        numbers['graph_entropy'].append(entropy(graph.log_adjacency).mean())
        if labels is not None:
            mass, chance = same_class_mass(graph.adjacency, labels.flatten(1))
            numbers['graph_same_class'].append(mass)
            numbers['graph_chance'].append(chance)
    return {name: torch.stack(values).mean() for name, values in numbers.items()}

"""Vertices, edges and messages of one pair of feature maps over shared projections."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any, Generic, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Made = TypeVar('Made')

# a vertex has no edge to itself; a finite score keeps 0 * log 0 out of the divergence
_NO_EDGE = -1e9


class made_once(Generic[Made]):
    """`functools.cached_property`, whose lock (before Python 3.12) `torch.compile` cannot enter."""

    def __init__(self, make: Callable[[Any], Made]) -> None:
        self.make = make
        self.__doc__ = make.__doc__

    def __get__(self, instance: Any, owner: type | None = None) -> Made:
        value = self.make(instance)
        setattr(instance, self.make.__name__, value)
        return value


def vec(feature_map: Tensor) -> Tensor:
    """The paper's `vec`: one vertex per cell, (B, C, h, w) -> (B, h * w, C), rows first."""
    return feature_map.flatten(2).transpose(1, 2)


def resize_map(feature_map: Tensor, grid: tuple[int, int]) -> Tensor:
    """Bring a map (B, C, h, w) to the grid (rows, columns), so that vertices of two models
    correspond: area average where it is finer in both directions, otherwise bilinear with
    half-pixel centres."""
    if tuple(feature_map.shape[-2:]) == tuple(grid):
        return feature_map
    if feature_map.shape[-2] >= grid[0] and feature_map.shape[-1] >= grid[1]:
        return F.interpolate(feature_map, grid, mode='area')
    return F.interpolate(feature_map, grid, mode='bilinear', align_corners=False)


def edge_scores(queries: Tensor, keys: Tensor, tau: float) -> Tensor:
    """Scaled dot products (B, N, N) of queries and keys (B, N, d): q k^T / (tau sqrt d)."""
    return queries @ (keys / (tau * sqrt(keys.shape[-1]))).transpose(1, 2)


def log_edges(scores: Tensor) -> Tensor:
    """Logarithm of the adjacency: softmax over each row of scores (B, N, N), N > 1, without the
    diagonal, which becomes -1e9, whose exponential is exactly 0."""
    diagonal = torch.eye(scores.shape[-1], dtype=torch.bool, device=scores.device)
    return scores.masked_fill(diagonal, _NO_EDGE).log_softmax(-1)


class GraphProjections(nn.Module):
    """What is learnt of the graph of one pair of maps.

    `student_in`, `teacher_in` (P_s, P_t) bring the maps to one width; `query`, `key`, `value`
    (W_q, W_k, W_v) are shared by both models, which is what makes their graphs comparable.

    The matrices begin orthogonal: `query` and `key` as the same one, so that training starts from
    the similarities of the teacher's vertices instead of from noise.

    Args:
        student_channels, teacher_channels: widths of the maps.
        dim: d, width of the vertices.
    """

    def __init__(self, student_channels: int, teacher_channels: int, dim: int = 64) -> None:
        super().__init__()
        self.student_in = nn.Linear(student_channels, dim, bias=False)
        self.teacher_in = nn.Linear(teacher_channels, dim, bias=False)
        self.query, self.key, self.value = (nn.Linear(dim, dim, bias=False) for _ in range(3))
        for layer in (self.student_in, self.teacher_in, self.query, self.value):
            nn.init.orthogonal_(layer.weight)
        with torch.no_grad():
            self.key.weight.copy_(self.query.weight)


class ModelGraph:
    """The graph of one model: everything is computed when it is first asked for.

    Args:
        features: (B, N, C) the vertices' features on the grid, float32 or float64.
        entry: P of this model; None where no loss needs the graph.
        shared: holds `query`, `key`, `value`.
        tau: temperature of the edges.
    """

    def __init__(
        self,
        features: Tensor,
        entry: nn.Linear | None = None,
        shared: GraphProjections | None = None,
        tau: float = 1.0,
    ) -> None:
        self.features, self.tau = features, tau
        # read only where a loss needs the graph, and then they are there
        self._entry: Any = entry
        self._shared: Any = shared

    @property
    def learnt(self) -> bool:
        """Whether there are projections, and so vertices and edges."""
        return self._shared is not None

    @made_once
    def target(self) -> Tensor:
        """F = LayerNorm of the features, (B, N, C), without gradient."""
        return F.layer_norm(self.features.detach(), self.features.shape[-1:])

    @made_once
    def vertices(self) -> Tensor:
        """X = LayerNorm(P F), (B, N, d); without scale and shift, which could undo it."""
        projected = F.linear(self.features, self._entry.weight.to(self.features.dtype))
        return F.layer_norm(projected, projected.shape[-1:])

    def _project(self, layer: nn.Linear) -> Tensor:
        return F.linear(self.vertices, layer.weight.to(self.vertices.dtype))

    @made_once
    def queries(self) -> Tensor:
        """X W_q, (B, N, d)."""
        return self._project(self._shared.query)

    @made_once
    def keys(self) -> Tensor:
        """X W_k, (B, N, d)."""
        return self._project(self._shared.key)

    @made_once
    def values(self) -> Tensor:
        """X W_v, (B, N, d)."""
        return self._project(self._shared.value)

    @made_once
    def scores(self) -> Tensor:
        """Edge scores before the softmax, (B, N, N), with the diagonal."""
        return edge_scores(self.queries, self.keys, self.tau)

    @made_once
    def log_adjacency(self) -> Tensor:
        """log A, (B, N, N)."""
        return log_edges(self.scores)

    @made_once
    def adjacency(self) -> Tensor:
        """A, (B, N, N): intra-model edges."""
        return self.log_adjacency.exp()

    @made_once
    def messages(self) -> Tensor:
        """Z = A X W_v, (B, N, d)."""
        return self.adjacency @ self.values


class GraphPair:
    """Both models' graphs and the edges from the student's vertices to the teacher's.

    Args:
        student, teacher: over the same grid, with the same shared projections.
    """

    def __init__(self, student: ModelGraph, teacher: ModelGraph) -> None:
        self.student, self.teacher = student, teacher

    @made_once
    def log_inter(self) -> Tensor:
        """log A_st, (B, N, N)."""
        return log_edges(edge_scores(self.student.queries, self.teacher.keys, self.teacher.tau))

    @made_once
    def inter(self) -> Tensor:
        """A_st, (B, N, N): inter-model edges."""
        return self.log_inter.exp()

    @made_once
    def inter_messages(self) -> Tensor:
        """Z_st = A_st X_t W_v, (B, N, d)."""
        return self.inter @ self.teacher.values

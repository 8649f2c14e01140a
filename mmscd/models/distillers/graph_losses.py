"""Distillation losses: each reads one pair of graphs and returns a scalar.

Which term trains what (sg = stop-gradient; P_s, P_t, W_q, W_k, W_v as in `GraphProjections`):

| term                               | student, P_s | P_t | W_q | W_k | W_v | head |
|------------------------------------|--------------|-----|-----|-----|-----|------|
| edge     KL(sg A_t || A_s)         | x            |     | x   | x   |     |      |
| node     1 - cos(Z_s, sg Z_t)      | x            |     | x   | x   | x   |      |
| inter    1 - cos(Z_st, sg Z_t)     | x            | x   | x   | x   | x   |      |
| anchor   |A_t F - F|^2, F = sg LN  |              | x   | x   | x   |     |      |
| anchor   |A_st F - F|^2            | x            | x   | x   | x   |     |      |
| anchor   |head(X_t W_v) - F|^2     |              | x   |     |     | x   | x    |

Edge and node alone are met by graphs that say nothing: W_q, W_k -> 0 makes all rows uniform, W_v of
rank one makes all messages parallel. The anchor pays for both: neighbours must rebuild a vertex of
the teacher's map by averaging with the edges as weights, which uniform rows cannot, and the head
must rebuild it from X_t W_v, which a low rank cannot. No learnt layer stands between A_t F and F,
and no vertex is its own neighbour: otherwise the identity would be the best graph.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from mmscd.registry import DISTILL_LOSSES

from .isomorphic_graph import GraphPair


class DistillLoss(nn.Module):
    """Base of the distillation losses.

    The distiller builds one instance per pair of taps and tells it the widths.

    Args:
        loss_weight: factor of the loss.
        student_channels, teacher_channels: widths of the two maps.
        dim: width of the graph's vertices.
    """

    #: whether the learnt projections are needed; where no loss needs them, they are not made
    needs_graph = True

    def __init__(
        self,
        loss_weight: float = 0.1,
        student_channels: int = 0,
        teacher_channels: int = 0,
        dim: int = 0,
    ) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, pair: GraphPair) -> Tensor:
        """The weighted loss, a scalar: mean over vertices and samples."""
        return self.loss_weight * self.compute(pair)

    def compute(self, pair: GraphPair) -> Tensor:
        """The loss without its weight."""
        raise NotImplementedError


@DISTILL_LOSSES.register_module()
class EdgeKLLoss(DistillLoss):
    """KL(sg A_t || A_s) in nats, summed over a vertex's edges: the student's edges follow the
    teacher's."""

    def compute(self, pair: GraphPair) -> Tensor:
        teacher = pair.teacher
        difference = teacher.log_adjacency.detach() - pair.student.log_adjacency
        return (teacher.adjacency.detach() * difference).sum(-1).mean()


@DISTILL_LOSSES.register_module()
class NodeCosineLoss(DistillLoss):
    """1 - cos(Z_s, sg Z_t), in [0, 2]: what the student's vertices gather points where the
    teacher's does."""

    def compute(self, pair: GraphPair) -> Tensor:
        target = pair.teacher.messages.detach()
        return (1 - F.cosine_similarity(pair.student.messages, target, -1)).mean()


@DISTILL_LOSSES.register_module()
class InterNodeLoss(DistillLoss):
    """1 - cos(Z_st, sg Z_t), in [0, 2]: the student's queries find among the teacher's vertices
    what the teacher's own queries find."""

    def compute(self, pair: GraphPair) -> Tensor:
        target = pair.teacher.messages.detach()
        return (1 - F.cosine_similarity(pair.inter_messages, target, -1)).mean()


@DISTILL_LOSSES.register_module()
class AnchorLoss(DistillLoss):
    """|A_t F - F|^2 + |A_st F - F|^2 + |head(X_t W_v) - F|^2, F = sg LayerNorm(teacher map).

    Squares are averaged over channels, in which F has unit variance: each term is about 1 where the
    graph says nothing. See the module for why this term and this form.

    Args:
        head: have the last term, which keeps W_v from losing rank.
        **base: see `DistillLoss`.
    """

    def __init__(self, head: bool = True, **base: Any) -> None:
        super().__init__(**base)
        self.head = nn.Linear(base['dim'], base['teacher_channels']) if head else None

    def compute(self, pair: GraphPair) -> Tensor:
        teacher, target = pair.teacher, pair.teacher.target
        total = F.mse_loss(teacher.adjacency @ target, target)
        total = total + F.mse_loss(pair.inter @ target, target)
        if self.head is not None:
            weight, bias = self.head.weight.to(target.dtype), self.head.bias.to(target.dtype)
            total = total + F.mse_loss(F.linear(teacher.values, weight, bias), target)
        return total


@DISTILL_LOSSES.register_module()
class PairwiseSimilarityLoss(DistillLoss):
    """Squared difference of the cosine similarities of all pairs of vertices, nothing learnt.

    Pair-wise distillation of Liu et al., "Structured Knowledge Distillation for Semantic
    Segmentation", CVPR 2019, on the distiller's grid.
    """

    needs_graph = False

    def compute(self, pair: GraphPair) -> Tensor:
        student = F.normalize(pair.student.features, dim=-1)
        teacher = F.normalize(pair.teacher.features.detach(), dim=-1)
        return F.mse_loss(student @ student.transpose(1, 2), teacher @ teacher.transpose(1, 2))


@DISTILL_LOSSES.register_module()
class ChannelWiseKLLoss(DistillLoss):
    """tau^2 KL between the spatial softmaxes of every channel, mean over channels.

    Shu et al., "Channel-wise Knowledge Distillation for Dense Prediction", ICCV 2021. A linear
    layer without bias brings the student's map to the teacher's channels where widths differ.

    Args:
        tau: temperature.
        **base: see `DistillLoss`.
    """

    needs_graph = False

    def __init__(self, tau: float = 4.0, **base: Any) -> None:
        super().__init__(**base)
        if tau <= 0:
            raise ValueError(f'tau must be positive, got {tau}')
        self.tau, self.align = tau, None
        if base['student_channels'] != base['teacher_channels']:
            self.align = nn.Linear(base['student_channels'], base['teacher_channels'], bias=False)

    def compute(self, pair: GraphPair) -> Tensor:
        student, teacher = pair.student.features, pair.teacher.features.detach()
        if self.align is not None:
            student = F.linear(student, self.align.weight.to(student.dtype))
        student = (student / self.tau).log_softmax(1)
        teacher = (teacher / self.tau).log_softmax(1)
        return self.tau**2 * (teacher.exp() * (teacher - student)).sum(1).mean()

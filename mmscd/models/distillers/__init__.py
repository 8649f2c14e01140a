"""Distillation of a semantic teacher's feature dependencies into the depth network."""

from .graph_losses import (
    AnchorLoss,
    ChannelWiseKLLoss,
    DistillLoss,
    EdgeKLLoss,
    InterNodeLoss,
    NodeCosineLoss,
    PairwiseSimilarityLoss,
)
from .isomorphic_graph import GraphPair, GraphProjections, ModelGraph, vec
from .isomorphic_graph_distiller import IsomorphicGraphDistiller

__all__ = [
    'AnchorLoss',
    'ChannelWiseKLLoss',
    'DistillLoss',
    'EdgeKLLoss',
    'GraphPair',
    'GraphProjections',
    'InterNodeLoss',
    'IsomorphicGraphDistiller',
    'ModelGraph',
    'NodeCosineLoss',
    'PairwiseSimilarityLoss',
    'vec',
]

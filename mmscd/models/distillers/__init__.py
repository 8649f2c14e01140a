"""Distillation of a semantic teacher's feature dependencies into the depth network."""

from .graph_diagnostics import describe_graphs, entropy, same_class_mass, self_mass
from .graph_losses import (
    AnchorLoss,
    ChannelWiseKLLoss,
    DistillLoss,
    EdgeKLLoss,
    InterNodeLoss,
    NodeCosineLoss,
    PairwiseSimilarityLoss,
)
from .isomorphic_graph import (
    GraphPair,
    GraphProjections,
    ModelGraph,
    edge_scores,
    log_edges,
    resize_map,
    vec,
)
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
    'describe_graphs',
    'edge_scores',
    'entropy',
    'log_edges',
    'resize_map',
    'same_class_mass',
    'self_mass',
    'vec',
]

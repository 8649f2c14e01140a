"""Losses: each a registered module that reads what it needs from `outputs`, returns a scalar."""

from mmscd.ops import photometric_error, synthesise_views

from .photometric_loss import (
    PhotometricLoss,
    error_of_disps,
    identity_error,
    upsample_disps,
)
from .shared import masked_mean, product_of_weights, sample_median
from .smoothness_loss import SmoothnessLoss, smoothness
from .structure_consistency_loss import StructureConsistencyLoss, structure_difference
from .texture_disambiguation_loss import TextureDisambiguationLoss

__all__ = [
    'PhotometricLoss',
    'SmoothnessLoss',
    'StructureConsistencyLoss',
    'TextureDisambiguationLoss',
    'error_of_disps',
    'identity_error',
    'masked_mean',
    'photometric_error',
    'product_of_weights',
    'sample_median',
    'smoothness',
    'structure_difference',
    'synthesise_views',
    'upsample_disps',
]

"""Losses: each a registered module that reads what it needs from `outputs`, returns a scalar."""

from .photometric_error import photometric_error
from .photometric_loss import (
    PhotometricLoss,
    minimum_reprojection,
    synthesise_views,
    upsample_disps,
)
from .smoothness_loss import SmoothnessLoss, smoothness

__all__ = [
    'PhotometricLoss',
    'SmoothnessLoss',
    'minimum_reprojection',
    'photometric_error',
    'smoothness',
    'synthesise_views',
    'upsample_disps',
]

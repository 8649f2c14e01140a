"""Texture of images: the Retinex split, and perturbations of what it leaves to reflectance."""

from .perturbation import PerturbedTexture, RetinexTexturePerturbation
from .retinex import gaussian_lowpass, retinex_split, strong_edges

__all__ = [
    'PerturbedTexture',
    'RetinexTexturePerturbation',
    'gaussian_lowpass',
    'retinex_split',
    'strong_edges',
]

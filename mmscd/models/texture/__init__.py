"""Texture of images: the Retinex split, and perturbations of what it leaves to reflectance."""

from .perturbation import PerturbedTexture, RetinexTexturePerturbation

__all__ = ['PerturbedTexture', 'RetinexTexturePerturbation']

"""Weights of other projects: which of their parameters become which of ours."""

from .key_map import KeyMap, UnmappedKeysError
from .monodepth2 import Monodepth2Weights, convert_monodepth2
from .reading import read_weights
from .resnet import convert_resnet, find_resnet_depth, map_resnet
from .writing import write_converted

__all__ = [
    'KeyMap',
    'Monodepth2Weights',
    'UnmappedKeysError',
    'convert_monodepth2',
    'convert_resnet',
    'find_resnet_depth',
    'map_resnet',
    'read_weights',
    'write_converted',
]

"""Weights of other projects: which of their parameters become which of ours."""

from .folder import add_arguments, convert_folder
from .key_map import KeyMap, UnmappedKeysError
from .lite_mono import LiteMonoWeights, convert_lite_mono
from .monodepth2 import Monodepth2Weights, convert_monodepth2
from .monodepth2_config import lite_mono_config, monodepth2_config
from .reading import read_weights
from .resnet import convert_resnet, find_resnet_depth, map_resnet
from .writing import write_converted

__all__ = [
    'KeyMap',
    'LiteMonoWeights',
    'Monodepth2Weights',
    'UnmappedKeysError',
    'add_arguments',
    'convert_folder',
    'convert_lite_mono',
    'convert_monodepth2',
    'convert_resnet',
    'find_resnet_depth',
    'lite_mono_config',
    'map_resnet',
    'monodepth2_config',
    'read_weights',
    'write_converted',
]

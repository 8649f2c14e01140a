"""Weights of other projects: which of their parameters become which of ours."""

from .convert import build_and_load, convert, write_converted
from .folder import Converted, convert_folder, make_config
from .key_map import KeyMap, UnmappedKeysError
from .reading import read_weights
from .resnet import convert_resnet

__all__ = [
    'Converted',
    'KeyMap',
    'UnmappedKeysError',
    'build_and_load',
    'convert',
    'convert_folder',
    'convert_resnet',
    'make_config',
    'read_weights',
    'write_converted',
]

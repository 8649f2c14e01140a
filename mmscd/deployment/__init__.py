"""From a checkpoint to a file that other programs run."""

from mmscd.models.model_names import network_size

from .checked_export import export_checkpoint
from .depth_graph import DepthGraph, load_network
from .formats import ExportOptions, export, run_exported
from .parity import Parity, check_parity, read_frames

__all__ = [
    'DepthGraph',
    'ExportOptions',
    'Parity',
    'check_parity',
    'export',
    'export_checkpoint',
    'load_network',
    'network_size',
    'read_frames',
    'run_exported',
]

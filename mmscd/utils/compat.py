"""Every workaround for a dependency, each with its reason and the version that needs it.

Nothing outside this file works around mmengine, mmcv, mmseg or torch.
"""

from __future__ import annotations

import importlib.util
import os
import re
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from mmscd.utils.downloads import cached_path, download
from mmscd.utils.files import atomic_write
from mmscd.utils.text import read_text
from mmscd.utils.weights import check_finite, named_tensors, some

INSTALL_COMMAND = 'pip install -e .[openmmlab]'
UNSAFE_LOAD_VARIABLE = 'MMSCD_UNSAFE_CHECKPOINTS'


def require_openmmlab(*packages: str) -> None:
    """ImportError with the command that installs what is missing of `mmengine`, `mmcv`, `mmseg`.

    They are an extra, not a hard requirement: two families of distributions (the upstream ones
    and the maintained `onedl-*` ones) fill the same folders, and requiring one would let pip
    destroy the other.
    """
    if missing := [name for name in packages if importlib.util.find_spec(name) is None]:
        mend = f'run `{INSTALL_COMMAND}` in the root of the mmscd repository'
        raise ImportError(f'mmscd needs {", ".join(missing)}, which is not installed: {mend}')


def register_config_packages() -> None:
    """Let `mmscd::` and `mmseg::` configs resolve without mmengine ever starting pip.

    mmengine 0.10 maps `mmseg` to the distribution `mmsegmentation`; with onedl-mmsegmentation 1.4
    that one is absent, and `mmengine.hub.get_config` would install it over the present one. The
    import name resolves for either. `mmscd` is unknown to mmengine.
    """
    from mmengine.config.utils import MODULE2PACKAGE

    MODULE2PACKAGE['mmscd'] = 'mmscd'
    try:
        metadata.distribution('mmsegmentation')
    except metadata.PackageNotFoundError:
        MODULE2PACKAGE['mmseg'] = 'mmseg'


class TruncatedCheckpointError(RuntimeError):
    """A checkpoint whose writing was cut off."""


def _torch_load(file: Path, map_location: Any = None) -> Any:
    """`torch.load` that runs no code of the file, with numpy scalars and arrays allowed;
    RuntimeError where the file is damaged or holds anything else than tensors and plain data."""
    import numpy as np
    import torch
    from mmengine.logging.history_buffer import HistoryBuffer

    _check_beginning(file)
    if os.environ.get(UNSAFE_LOAD_VARIABLE) == '1':
        return torch.load(file, map_location=map_location, weights_only=False)
    arrays = (getattr(np, '_core', None) or np.core).multiarray
    allowed: list[Any] = [arrays._reconstruct, arrays.scalar, np.ndarray, np.dtype, HistoryBuffer]
    allowed += [type(np.dtype(kind)) for kind in ('f4', 'f8', 'i4', 'i8', 'u1', 'u4', 'bool')]
    # checkpoints by mmengine pickle bound methods of HistoryBuffer through getattr
    allowed += [(_history_method, 'builtins.getattr')]
    try:
        with torch.serialization.safe_globals(allowed):
            return torch.load(file, map_location=map_location, weights_only=True)
    except Exception as error:  # the restricted unpickler raises anything on damaged bytes
        refused = re.search(r'GLOBAL ([\w.]+)|(?:the attribute|class) (\S+)', str(error))
        if refused:
            problem = (
                f'holds more than tensors and plain data ({refused[1] or refused[2]}), and loading '
                'it could run code: if you trust its source, set '
                f'{UNSAFE_LOAD_VARIABLE}=1 for this one command'
            )
        else:
            reason = str(error).split(': ')[-1].strip().split('\n')[0][:120]
            reason = f'{type(error).__name__}: {reason}'
            problem = f'is truncated or damaged ({reason}): copy or download it again'
            if _is_cut_off(file):
                raise TruncatedCheckpointError(f'checkpoint {file} {problem}') from error
        raise RuntimeError(f'checkpoint {file} {problem}') from error


def _is_cut_off(file: Path) -> bool:
    with file.open('rb') as stream:  # a zip ends with its table of contents
        begins = stream.read(2) == b'PK'
    try:
        return begins and not zipfile.is_zipfile(file)
    except zipfile.BadZipFile:  # a table that is there, and lies
        return False


def _check_beginning(file: Path) -> None:
    """Tell what a file is that is no checkpoint at all: a zip or a pickle begins otherwise."""
    with file.open('rb') as stream:
        start = stream.read(64)
    if start.startswith((b'PK\x03\x04', b'\x80')):
        return
    if b'PK\x03\x04'.startswith(start.strip(b'\0')):  # a crash of the system leaves zeros
        raise TruncatedCheckpointError(f'checkpoint {file} is empty: copy or download it again')
    kind = f'begins with {start[:16]!r}'
    if start.lstrip().lower().startswith((b'<!doctype', b'<html', b'<?xml')):
        kind = 'is a web page'
    elif start.startswith(b'version https://git-lfs'):
        kind = 'is a pointer of Git LFS'
    raise RuntimeError(f'checkpoint {file} {kind}, which no checkpoint does: download it again')


def _history_method(owner: Any, name: str) -> Any:
    """Stand-in for `getattr` in checkpoints: only the statistics methods of HistoryBuffer."""
    from mmengine.logging.history_buffer import HistoryBuffer

    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return getattr(HistoryBuffer, name)
    raise RuntimeError(f'a checkpoint asks for the attribute {name!r} of {owner!r}: refused')


def load_checkpoint_file(filename: str | os.PathLike, map_location: Any = 'cpu') -> Any:
    """Load a local checkpoint without running code that it may contain. FileNotFoundError;
    RuntimeError: the file is broken, or holds more than tensors and plain data."""
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'checkpoint {path} does not exist; check the path')
    checkpoint = _torch_load(path, map_location)
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if isinstance(meta, dict):
        # mmengine's Runner.resume runs this text as a config
        meta.pop('config', None)
    return checkpoint


def register_safe_checkpoint_loaders() -> None:
    """Replace mmengine's loaders for files and URLs by ones without a fallback to unpickling.

    onedl-mmengine 0.10.12 falls back to `weights_only=False`, mmengine 0.10.7 fails on its own
    checkpoints under torch >= 2.6.
    """
    from mmengine.dist import barrier, get_dist_info
    from mmengine.runner import checkpoint

    def load_from_local(filename: str, map_location: Any = None, **_: Any) -> Any:
        if '://' in str(filename):
            raise ValueError(f'{filename} cannot be read as weights: download it and give the path')
        return load_checkpoint_file(filename, map_location)

    def load_from_http(filename: str, map_location: Any = None, **_: Any) -> Any:
        rank, _world = get_dist_info()
        if rank == 0:
            download(filename)
        barrier()
        return load_checkpoint_file(cached_path(filename), map_location)

    def load_bytes(file: Any, map_location: Any = None, weights_only: Any = None) -> Any:
        if not isinstance(file, (str, os.PathLike)):
            raise ValueError('weights are read from files, http and https only: give a path')
        return load_checkpoint_file(file, map_location)

    # the functions at the bottom too: loaders of other schemes call them by name
    checkpoint._safe_torch_load = load_bytes
    checkpoint.load_from_local = load_from_local
    checkpoint.load_from_http = load_from_http
    register = checkpoint.CheckpointLoader.register_scheme
    register('', load_from_local, force=True)
    register(('http://', 'https://'), load_from_http, force=True)


def register_checked_initial_weights() -> None:
    """Refuse initial weights (`init_cfg` of type Pretrained) that do not fit their module: mmengine
    0.10 only logs what is missing or has another shape, and trains from noise."""
    from mmengine.model.weight_init import PretrainedInit, update_init_info
    from mmengine.runner.checkpoint import CheckpointLoader

    def load(self: Any, module: Any) -> None:
        path, prefix = str(self.checkpoint), f'{(self.prefix or "").rstrip(".")}.'.lstrip('.')
        state = named_tensors(CheckpointLoader.load_checkpoint(path, 'cpu', 'current'), path)
        state = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        own = module.state_dict()
        what = f'initial weights {path} do not fit {type(module).__name__}'
        if absent := [k for k in own if k not in state and not k.endswith('num_batches_tracked')]:
            mend = 'give the file of this network, or set init_cfg=None'
            told = f'{len(absent)} of {len(own)} parameters are missing ({some(absent)})'
            raise ValueError(f'{what}: {told}; {mend}')
        check_finite(state, path)
        try:
            module.load_state_dict(state, strict=False)
        except RuntimeError as error:  # another shape
            raise ValueError(f'{what}: {" ".join(str(error).split())}') from None
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=self._get_init_info())

    PretrainedInit.__call__ = load


def register_atomic_local_backend() -> None:
    """Make every local write of mmengine atomic: 0.10 writes checkpoints in place."""
    from mmengine.fileio import LocalBackend, register_backend

    class AtomicLocalBackend(LocalBackend):
        """A local file backend that writes under a temporary name and renames."""

        def put(self, obj: bytes, filepath: str | Path) -> None:
            atomic_write(filepath, obj)

        def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
            atomic_write(filepath, obj.encode(encoding))

    register_backend('local', AtomicLocalBackend, force=True, prefixes='')


def current_autocast(device_type: str) -> Callable[[], AbstractContextManager]:
    """Contexts with the autocast that is in force now, to open later, where it may be off. torch
    before 2.4 asks for the state of each device type (`cpu`, `cuda`, ...) by another function."""
    import torch

    if hasattr(torch, 'get_autocast_dtype'):
        enabled = torch.is_autocast_enabled(device_type)
        dtype = torch.get_autocast_dtype(device_type)
    elif device_type == 'cpu':
        enabled, dtype = torch.is_autocast_cpu_enabled(), torch.get_autocast_cpu_dtype()
    else:
        enabled, dtype = torch.is_autocast_enabled(), torch.get_autocast_gpu_dtype()
    return partial(torch.autocast, device_type, dtype=dtype, enabled=enabled)


def prepare_cpu_distributed(cfg: Any, launcher: str) -> None:
    """Make a config, changed in place, run on several processes of a machine without CUDA.

    mmengine's `pytorch` launcher calls `torch.cuda.set_device`, its DDP wrapper passes device ids,
    which DDP refuses on the CPU, and SyncBN refuses the CPU (mmengine 0.10, torch 2).
    """
    import torch

    if launcher == 'none' or torch.cuda.is_available():
        return
    if launcher != 'pytorch':
        raise RuntimeError(f'launcher {launcher!r} needs CUDA; use `pytorch` on a CPU machine')
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')
    wrapper = dict(cfg.get('model_wrapper_cfg') or {})
    wrapper.setdefault('type', 'MMDistributedDataParallel')
    cfg.model_wrapper_cfg = dict(wrapper, device_ids=None)
    cfg.sync_bn = None


def breaks_config(value: object) -> bool:
    """Whether a text cannot be pasted between the quotes of a config: mmengine's `{{ }}` does."""
    return bool(re.search(r'[\'"\\\r\n]', str(value)))


def register_checked_substitution() -> None:
    """Refuse a path or a variable that mmengine 0.10 would paste into a config's text although it
    ends the string there, or is no Python text at all."""
    from mmengine.config import Config

    substitute = Config._substitute_predefined_vars
    if getattr(substitute, 'checked', False):
        return

    def checked(filename: str, target: str) -> None:
        text = read_text(filename)
        found = dict.fromkeys(re.findall(r'\{\{\s*\$(\w+)\s*:', text))
        pasted = {f'${name}': os.environ.get(name, '') for name in found}
        if re.search(r'\{\{\s*file(Dirname|Basename|BasenameNoExtension|Extname)\s*\}\}', text):
            pasted['the path of the file'] = filename
        for name, value in pasted.items():
            if breaks_config(value):
                raise ValueError(
                    f'{filename} takes in {name}, {value!r}: quotes, backslashes and line breaks '
                    'cannot stand there; use a path without them, a symbolic link for example'
                )
        substitute(filename, target)

    checked.checked = True  # type: ignore[attr-defined]
    Config._substitute_predefined_vars = staticmethod(checked)


def apply() -> None:
    """Apply what has to be in place before mmengine is used; safe to call again."""
    require_openmmlab('mmengine')
    register_config_packages()
    register_checked_substitution()
    register_safe_checkpoint_loaders()
    register_checked_initial_weights()
    register_atomic_local_backend()

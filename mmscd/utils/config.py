"""Loading of configs, without ever starting an installer."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import compat

if TYPE_CHECKING:
    from mmengine.config import Config


def resolve_config_path(path: str) -> Path:
    """File of a config given as a path or as `package::relative/path.py`.

    Args:
        path: e.g. `configs/monodepth2/monodepth2_r18_kitti.py` or
            `mmseg::pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py`.

    Raises:
        ImportError: the package is not installed.
        FileNotFoundError: there is no such file.
    """
    if '::' not in path:
        file = Path(path)
    else:
        package, relative = path.split('::', 1)
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise ImportError(
                f'{path}: the package {package} is not installed; run `{compat.INSTALL_COMMAND}`'
            )
        file = Path(spec.origin).parent / '.mim' / 'configs' / relative
    if not file.suffix:
        file = file.with_name(file.name + '.py')
    if not file.is_file():
        raise FileNotFoundError(f'there is no config {path} (looked for {file})')
    return file


def load_config(path: str, options: dict | None = None) -> Config:
    """A mmengine `Config` from a path or a `package::` name.

    Args:
        path: see `resolve_config_path`.
        options: overrides as of `--cfg-options`, dotted keys.

    Returns:
        The Config.
    """
    compat.apply()
    from mmengine.config import Config

    cfg = Config.fromfile(str(resolve_config_path(path)))
    _drop_own_scope(cfg._cfg_dict)
    if options:
        cfg.merge_from_dict(options)
    return cfg


def select(cfg: Any, path: str) -> Any:
    """A part of a config by its dotted path.

    Raises:
        ValueError: there is no such part.
    """
    part, walked = cfg, []
    for name in path.split('.'):
        if isinstance(part, (list, tuple)) and name.isdecimal() and int(name) < len(part):
            part = part[int(name)]
        elif hasattr(part, 'keys') and name in part:
            part = part[name]
        else:
            found = sorted(part) if hasattr(part, 'keys') else f'a {type(part).__name__}'
            where = '.'.join(walked) or 'the config'
            raise ValueError(f'there is no {name!r} in {where}, which has {found}')
        walked.append(name)
    return part


def _drop_own_scope(node: Any) -> None:
    """A base of the form `mmscd::...` marks every dict with a scope, which is our default anyway.

    mmengine would hand the mark on to functions such as the `collate_fn`.
    """
    if isinstance(node, dict):
        if node.get('_scope_') == 'mmscd':
            del node['_scope_']
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            _drop_own_scope(child)

"""Loading of configs, without ever starting an installer."""

from __future__ import annotations

import ast
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


def literal_config(text: str, source: str) -> dict[str, Any]:
    """Values of a config's text that came out of a file; nothing of it is run.

    Args:
        text: assignments of literals and of `dict`, `list` and `tuple` calls, which is what
            mmengine writes.
        source: named in errors.

    Raises:
        ValueError: the text does anything else; names the line.
    """
    try:
        lines = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f'the config in {source} is no Python text: {error}') from error
    values: dict[str, Any] = {}
    for line in lines:
        if not (
            isinstance(line, ast.Assign) and all(isinstance(t, ast.Name) for t in line.targets)
        ):
            raise ValueError(
                f'the config in {source} does more than name values (line {line.lineno}): it is '
                'not run; take the config that lies beside the checkpoint'
            )
        value = _literal(line.value, source)
        values.update({target.id: value for target in line.targets if isinstance(target, ast.Name)})
    return values


def _literal(node: ast.expr, source: str) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == 'dict' and not node.args and all(k.arg for k in node.keywords):
            return {str(k.arg): _literal(k.value, source) for k in node.keywords}
        if node.func.id in ('list', 'tuple') and len(node.args) == 1 and not node.keywords:
            items = _literal(node.args[0], source)
            return list(items) if node.func.id == 'list' else tuple(items)
    if isinstance(node, ast.Dict) and all(node.keys):
        pairs = zip(node.keys, node.values, strict=True)
        return {_literal(k, source): _literal(v, source) for k, v in pairs if k is not None}
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [_literal(item, source) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    if isinstance(node, ast.Name) and node.id in ('inf', 'nan'):
        return float(node.id)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError):
        raise ValueError(
            f'the config in {source} holds code (line {node.lineno}: {ast.unparse(node)[:60]}): it '
            'is not run; take the config that lies beside the checkpoint'
        ) from None


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

"""Loading of configs, without ever starting an installer."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import compat
from .names import check_names

if TYPE_CHECKING:
    from mmengine.config import Config

# what is read at the top of a config, besides the arguments of mmengine's Runner
_READ = (
    'sync_bn find_unused_parameters model_wrapper_cfg activation_checkpointing compile '
    'efficient_conv_bn_eval official_sizes'
).split()
# dicts that are looked into, not handed on as arguments, which would be checked
_LOOKED_INTO = dict(
    env_cfg=('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'),
    auto_scale_lr=('base_batch_size', 'enable'),
)
# what mmengine adds by itself, so that a config can switch it off unseen
MMENGINE_HOOKS = 'runtime_info timer sampler_seed logger param_scheduler checkpoint'.split()


def resolve_config_path(path: str) -> Path:
    """File of a config given as a path or as `package::relative/path.py`, such as
    `mmseg::pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py`; the suffix may be left out.
    ImportError: the package is not installed; FileNotFoundError: there is no such file."""
    file = Path(path)
    if '::' in path:
        package, relative = path.split('::', 1)
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            mend = f'run `{compat.INSTALL_COMMAND}`'
            raise ImportError(f'{path}: the package {package} is not installed; {mend}')
        file = Path(spec.origin).parent / '.mim' / 'configs' / relative
    if not file.suffix:
        file = file.with_name(file.name + '.py')
    if not file.is_file():
        raise FileNotFoundError(f'there is no config {path} (looked for {file})')
    return file


def load_config(path: str, options: Mapping[str, Any] | None = None) -> Config:
    """A mmengine `Config`.

    Args:
        path: of a config file, or `package::relative/path.py`.
        options: overrides as of `--cfg-options`, see `merge_options`.

    Raises:
        FileNotFoundError, ImportError, ValueError: there is no such file, or it is no config.
    """
    compat.apply()
    from mmengine.config import Config

    file = resolve_config_path(path)
    try:
        cfg = Config.fromfile(str(file))
    except (OSError, ImportError):
        raise
    except Exception as error:  # whatever the code of a config raises
        reason = ' '.join(f'{type(error).__name__}: {error}'.split())
        raise ValueError(f'config {file} cannot be read: {reason[:600]}') from error
    _drop_own_scope(cfg._cfg_dict)
    merge_options(cfg, options)
    return cfg


def merge_options(cfg: Config, options: Mapping[str, Any] | None) -> None:
    """Override values of a config, in place, by dotted keys. ValueError where one hits nothing:
    nobody reads it, or the config's files have made other values of it already.

    A key that is new to a component or to a dict of arguments passes: who gets it checks it. Among
    things with a `type` of their own, such as hooks or losses, a new one has to have one too.
    """
    options = dict(options or {})
    for key, value in options.items():
        old = _check_hits(cfg, key, options)
        if type(old) is int and isinstance(value, float) and value.is_integer():
            options[key] = int(value)  # 1e5 iterations
    cfg.merge_from_dict(options)


def _check_hits(cfg: Config, key: str, options: Mapping[str, Any]) -> Any:
    """The value that an option replaces; None where there is none."""
    from mmengine.runner import Runner

    names = key.split('.')
    read = {*inspect.signature(Runner).parameters, *_READ}
    check_names(f'name (option {key})', names[:1], sorted({*cfg, *read}))
    if names[0] not in read and _is_used(names[0], cfg.text):
        raise ValueError(
            f'option {key}: {names[0]} changes nothing any more, the files of the config have made '
            'other values of it; change those (tools/misc/print_config.py shows them)'
        )
    part: Any = cfg._cfg_dict
    for depth, name in enumerate(names):
        above = '.'.join(names[:depth])
        if f'{above}._delete_' in options:
            return None
        if isinstance(part, list) and name.isdecimal() and int(name) < len(part):
            part = part[int(name)]
            continue
        if not isinstance(part, dict):
            is_ = f'a list of {len(part)}' if isinstance(part, list) else repr(part)[:80]
            raise ValueError(
                f'option {key}: {above} is {is_}, of which {name!r} is no part; give {above} as a '
                f'whole, or {above}._delete_=True too'
            )
        known = list(part)
        if depth == 1 and names[0] in _LOOKED_INTO:
            check_names(f'name (option {key})', [name], _LOOKED_INTO[names[0]])
        elif depth and name not in part and _is_collection(names[:depth], part):
            known += MMENGINE_HOOKS if names[0] == 'default_hooks' else []
            new = options.get('.'.join(names[: depth + 1]))
            typed = '.'.join([*names[: depth + 1], 'type']) in options
            if not typed and not (isinstance(new, dict) and 'type' in new):
                check_names(f'name (option {key}; a new one needs a type)', [name], known)
        if name not in part:
            return None
        part = part[name]
    return part


def _is_collection(names: list[str], part: dict) -> bool:
    """Whether a dict holds components by name; those at the top are arguments, save hooks."""
    components = [v for v in part.values() if isinstance(v, dict) and 'type' in v]
    alone = all(v is None or isinstance(v, dict) for v in part.values())
    deep = len(names) > 1 or names == ['default_hooks']
    return bool(deep and alone and components and 'type' not in part)


def _is_used(name: str, text: str) -> bool:
    """Whether a config's text, of all its files, reads a variable, and does not only set it."""
    code = re.sub(r'("""|\'\'\')[\s\S]*?\1|#.*', '', text)
    return bool(re.search(rf'(?<![\'"])\b{re.escape(name)}\b(?![\'"]|\s*=[^=])', code))


def literal_config(text: str, source: str) -> dict[str, Any]:
    """Values of a config's text that came out of the file `source`; nothing of it is run.
    ValueError, which names the line, where it is more than assignments of literals and of `dict`,
    `list` and `tuple` calls, which is what mmengine writes."""
    try:
        lines = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f'the config in {source} is no Python text: {error}') from error
    values: dict[str, Any] = {}
    for line in lines:
        if isinstance(line, ast.Assign):
            names = [target.id for target in line.targets if isinstance(target, ast.Name)]
        if not isinstance(line, ast.Assign) or len(names) < len(line.targets):
            raise _refusal(source, line, 'does more than name values')
        values |= dict.fromkeys(names, _literal(line.value, source))
    return values


def _refusal(source: str, node: ast.AST, what: str) -> ValueError:
    where = f'line {getattr(node, "lineno", "?")}: {ast.unparse(node)[:60]}'
    mend = 'it is not run; take the config that lies beside the checkpoint'
    return ValueError(f'the config in {source} {what} ({where}): {mend}')


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
        raise _refusal(source, node, 'holds code') from None


def select(cfg: Any, path: str) -> Any:
    """A part of a config by its dotted path; ValueError where there is none."""
    part, walked = cfg, list[str]()
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
    """A base of the form `mmscd::...` marks every dict with a scope, which is our default anyway
    and which mmengine would hand on to functions such as the `collate_fn`."""
    if isinstance(node, dict):
        if node.get('_scope_') == 'mmscd':
            del node['_scope_']
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            _drop_own_scope(child)

"""Configs by name: what `DepthInferencer('scd_r18_kitti')` looks up."""

from __future__ import annotations

import copy
import difflib
import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmscd.utils.config import load_config

if TYPE_CHECKING:
    from mmengine.config import Config

# folders of configs that are no models
_NOT_MODELS = ('_base_', 'teachers')


def config_folders() -> list[Path]:
    """Where configs with a name lie: those of the installed package, and of the checkout."""
    package = Path(__file__).resolve().parents[1]
    # a checkout comes first: there `.mim` may be what an older build left
    folders = [package.parent / 'configs', package / '.mim' / 'configs']
    # beside an installed package there may be a `configs` of somebody else
    mark = Path('_base_', 'models', 'monodepth2_r18.py')
    return [folder for folder in folders if (folder / mark).is_file()]


def _named_configs() -> dict[str, Path]:
    """Config files by name; the first folder that knows a name wins."""
    found: dict[str, Path] = {}
    for folder in config_folders():
        for path in sorted(folder.rglob('[!.]*.py')):
            if not set(_NOT_MODELS) & set(path.relative_to(folder).parts):
                found.setdefault(path.stem, path)
    return found


def list_models(pattern: str = '*') -> list[str]:
    """Names that `DepthInferencer` and `init_model` take; `*` and `?` are wildcards."""
    return sorted(fnmatch.filter(_named_configs(), pattern))


def _find(model: str) -> str:
    """Path of a config given by path, as `mmscd::...`, or by name."""
    if '::' in model:
        return model
    named, name, path = _named_configs(), model.removesuffix('.py'), Path(model).expanduser()
    if path.is_file() or name in named:
        return str(path if path.is_file() else named[name])
    close = difflib.get_close_matches(Path(name).name, named, n=3, cutoff=0.5)
    hint = f'similar names: {", ".join(close)}' if close else 'mmscd.list_models() gives the names'
    by_name = name == model and '/' not in model
    what = f'model {model!r}, neither a file nor a name' if by_name else f'config {model}'
    raise FileNotFoundError(f'there is no {what}; {hint}')


def resolve_model(model: Any) -> Config:
    """The config of a model; its `filename` is set where it came from a file.

    Args:
        model: path of a config, `mmscd::monodepth2/monodepth2_r18_kitti.py`, the name of a shipped
            one (`monodepth2_r18_kitti`), a mmengine `Config` (which is copied), or a dict.

    Raises:
        FileNotFoundError: there is no such file or name.
        TypeError: `model` is something else.
        ValueError: the file is no config, or describes no depth model of mmscd.
    """
    from mmengine.config import Config

    if isinstance(model, Config):
        cfg = copy.deepcopy(model)
    elif isinstance(model, dict):
        cfg = Config(copy.deepcopy(dict(model)))
    elif isinstance(model, (str, Path)):
        cfg = load_config(_find(str(model)))
    else:
        expected = 'the path or name of a config, or a mmengine Config'
        raise TypeError(f'model must be {expected}, got {type(model).__name__}')
    check_depth_config(cfg)
    return cfg


def check_depth_config(cfg: Config) -> None:
    """ValueError for configs of other projects, and for files that describe no model."""
    name = describe(cfg)
    network = cfg.get('model')
    if not isinstance(network, dict) or 'type' not in network:
        mend = 'give a config that can be trained (mmscd.list_models() gives the names)'
        raise ValueError(f'{name} defines no `model` with a `type`: {mend}')
    from mmengine.registry import init_default_scope

    from mmscd.registry import MODELS

    kind = network['type']
    cls = kind if isinstance(kind, type) else None
    # a component of another package has its name in front; asking for it could import anything
    if cls is None and '.' not in str(kind).removeprefix('mmscd.'):
        init_default_scope('mmscd')
        cls = MODELS.get(str(kind))
    if cls is None or not hasattr(cls, 'predict'):
        scope = cfg.get('default_scope')
        whose = f' (its default_scope is {scope!r})' if scope not in (None, 'mmscd') else ''
        raise ValueError(
            f'{name} describes a model of type {kind}{whose}, which is no depth estimator of '
            'mmscd: give a config of it; a component of your own needs custom_imports in the config'
        )


def describe(cfg: Config) -> str:
    """How messages call a config."""
    return f'config {cfg.filename}' if getattr(cfg, 'filename', None) else 'the config'


def find_pipeline(cfg: Config) -> list[dict]:
    """The transforms of a config's test images, which say what size the network takes; ValueError
    where none gives the images that size."""
    candidates = [_dataset_pipeline(cfg.get(f'{split}_dataloader')) for split in ('test', 'val')]
    candidates += [cfg.get('test_pipeline'), _dataset_pipeline(cfg.get('train_dataloader'))]
    for pipeline in candidates:
        if pipeline and 'ResizeFrames' in [step.get('type') for step in pipeline]:
            return list(pipeline)
    mend = "test_pipeline = [..., dict(type='ResizeFrames', size=(640, 192)), ...]"
    raise ValueError(
        f'{describe(cfg)} does not say which size of image the network takes: it needs {mend}; to '
        'a tool, give it: --size 640x192'
    )


def _dataset_pipeline(loader: Any) -> list[dict] | None:
    """The pipeline of a data loader's data set, or of the first of several."""
    dataset = (loader or {}).get('dataset')
    while dataset and 'pipeline' not in dataset:
        inner = dataset.get('dataset') or dataset.get('datasets')
        dataset = inner[0] if isinstance(inner, (list, tuple)) and inner else inner
    return dataset.get('pipeline') if dataset else None


def network_size(cfg: Config) -> tuple[int, int]:
    """(width, height) of the images that the network of a config takes; raises as above."""
    steps = find_pipeline(cfg)
    width, height = next(s['size'] for s in steps if s.get('type') == 'ResizeFrames')
    return width, height


def one_line(error: BaseException, limit: int = 300) -> str:
    """An error's text in one line, not endless."""
    text = ' '.join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else f'{text[: limit - 3]}...'

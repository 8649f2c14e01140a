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
        for path in sorted(folder.rglob('*.py')):
            if not set(_NOT_MODELS) & set(path.relative_to(folder).parts):
                found.setdefault(path.stem, path)
    return found


def list_models(pattern: str = '*') -> list[str]:
    """Names that `DepthInferencer` and `init_model` take.

    Args:
        pattern: with the wildcards `*` and `?`.
    """
    return sorted(fnmatch.filter(_named_configs(), pattern))


def _find(model: str) -> str:
    """Path of a config given by path, as `mmscd::...`, or by name."""
    if '::' in model or Path(model).expanduser().is_file():
        return str(Path(model).expanduser()) if '::' not in model else model
    named = _named_configs()
    name = model[: -len('.py')] if model.endswith('.py') else model
    if name in named:
        return str(named[name])
    close = difflib.get_close_matches(Path(name).name, named, n=3, cutoff=0.5)
    hint = f'similar names: {", ".join(close)}' if close else 'mmscd.list_models() gives the names'
    if name == model and '/' not in model:
        raise FileNotFoundError(f'there is no model {model!r}, neither a file nor a name; {hint}')
    raise FileNotFoundError(f'there is no config {model}; {hint}')


def resolve_model(model: Any) -> Config:
    """The config of a model.

    Args:
        model: path of a config, `mmscd::monodepth2/monodepth2_r18_kitti.py`, the name of a shipped
            one (`monodepth2_r18_kitti`), a mmengine `Config` (which is copied), or a dict.

    Returns:
        The Config; its `filename` is set where it came from a file.

    Raises:
        FileNotFoundError: there is no such file or name.
        TypeError: `model` is something else.
        ValueError: the file is no config, or describes no depth model of mmscd.
    """
    if isinstance(model, (str, Path)):
        path = _find(str(model))
        try:
            cfg = load_config(path)
        except (FileNotFoundError, ImportError):
            raise
        except Exception as error:  # whatever the code of a config file raises
            raise ValueError(f'config {path} cannot be read: {one_line(error)}') from error
    else:
        from mmengine.config import Config, ConfigDict

        if isinstance(model, Config):
            cfg = copy.deepcopy(model)
        elif isinstance(model, (dict, ConfigDict)):
            cfg = Config(copy.deepcopy(dict(model)))
        else:
            raise TypeError(
                'model must be the path or name of a config, or a mmengine Config, got '
                f'{type(model).__name__}'
            )
    check_depth_config(cfg)
    return cfg


def check_depth_config(cfg: Config) -> None:
    """Refuse configs of other projects, and files that describe no model.

    Raises:
        ValueError: names the file, and what it lacks.
    """
    name = describe(cfg)
    network = cfg.get('model')
    if not isinstance(network, dict) or 'type' not in network:
        raise ValueError(
            f'{name} defines no `model` with a `type`: give a config that can be trained, e.g. one '
            'of configs/monodepth2/ (mmscd.list_models() gives their names)'
        )
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
            f'{name} describes a model of type {kind}{whose}, which is no depth estimator of mmscd '
            'like SelfSupervisedDepthEstimator: give a config of mmscd; a component of your own '
            'needs custom_imports in the config'
        )


def describe(cfg: Config) -> str:
    """How messages call a config."""
    return f'config {cfg.filename}' if getattr(cfg, 'filename', None) else 'the config'


def find_pipeline(cfg: Config) -> list[dict]:
    """The transforms of a config's test images, which say what size the network takes.

    Raises:
        ValueError: there are none, or none that gives the images the network's size.
    """
    candidates = [_dataset_pipeline(cfg.get(f'{split}_dataloader')) for split in ('test', 'val')]
    candidates += [cfg.get('test_pipeline'), _dataset_pipeline(cfg.get('train_dataloader'))]
    for pipeline in candidates:
        if pipeline and 'ResizeFrames' in [step.get('type') for step in pipeline]:
            return list(pipeline)
    raise ValueError(
        f'{describe(cfg)} does not say which size of image the network takes: it needs '
        "test_pipeline = [..., dict(type='ResizeFrames', size=(640, 192)), ...]; to a tool, give "
        'it: --size 640x192'
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
    sizes = [step['size'] for step in find_pipeline(cfg) if step.get('type') == 'ResizeFrames']
    width, height = sizes[0]
    return width, height


def one_line(error: BaseException, limit: int = 300) -> str:
    """An error's text in one line, not endless."""
    text = ' '.join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else f'{text[: limit - 3]}...'

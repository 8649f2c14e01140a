"""Registries of mmscd: children of mmengine's, and roots of our own for losses.

A component registers itself with `@MODELS.register_module()` and is built from a config dict by its
`type`. Components of other OpenMMLab packages are reached with their scope: `type='mmseg.MSCAN'`.
"""

from .utils import compat

compat.apply()

import mmengine.registry as mmengine_registry  # noqa: E402
from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS  # noqa: E402
from mmengine.registry import DATASETS as MMENGINE_DATASETS  # noqa: E402
from mmengine.registry import HOOKS as MMENGINE_HOOKS  # noqa: E402
from mmengine.registry import METRICS as MMENGINE_METRICS  # noqa: E402
from mmengine.registry import MODELS as MMENGINE_MODELS  # noqa: E402
from mmengine.registry import (  # noqa: E402
    OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
)
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS  # noqa: E402
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS  # noqa: E402
from mmengine.registry import Registry  # noqa: E402

DATASETS = Registry(
    'dataset', parent=MMENGINE_DATASETS, scope='mmscd', locations=['mmscd.datasets']
)
DATA_SAMPLERS = Registry(
    'data sampler', parent=MMENGINE_DATA_SAMPLERS, scope='mmscd', locations=['mmscd.datasets']
)
TRANSFORMS = Registry(
    'transform', parent=MMENGINE_TRANSFORMS, scope='mmscd', locations=['mmscd.datasets.transforms']
)
MODELS = Registry('model', parent=MMENGINE_MODELS, scope='mmscd', locations=['mmscd.models'])
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope='mmscd', locations=['mmscd.engine'])
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
    scope='mmscd',
    locations=['mmscd.engine'],
)
METRICS = Registry('metric', parent=MMENGINE_METRICS, scope='mmscd', locations=['mmscd.evaluation'])
VISUALIZERS = Registry(
    'visualizer', parent=MMENGINE_VISUALIZERS, scope='mmscd', locations=['mmscd.visualization']
)

# Roots: a second child of mmengine's MODELS with the scope `mmscd` would be refused.
LOSSES = Registry('loss', scope='mmscd', locations=['mmscd.models.losses'])
DISTILLERS = Registry('distiller', scope='mmscd', locations=['mmscd.models.distillers'])
DISTILL_LOSSES = Registry('distill loss', scope='mmscd', locations=['mmscd.models.distillers'])
TEACHERS = Registry('teacher', scope='mmscd', locations=['mmscd.models.teachers'])

# Children that hold nothing: mmengine warns at every build under a scope that a registry lacks.
for _name in (
    'EVALUATOR',
    'LOG_PROCESSORS',
    'LOOPS',
    'MODEL_WRAPPERS',
    'OPTIMIZERS',
    'OPTIM_WRAPPERS',
    'PARAM_SCHEDULERS',
    'RUNNERS',
    'VISBACKENDS',
    'WEIGHT_INITIALIZERS',
):
    _parent = getattr(mmengine_registry, _name)
    Registry(_parent.name, parent=_parent, scope='mmscd', locations=['mmscd.engine'])

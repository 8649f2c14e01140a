"""A step of a config's model on a device that is not there: shapes without values.

    python tests/test_engine/pretended_device.py CONFIG [model.key=value ...]

Prints what of it a CUDA graph would refuse, with the line of mmscd: copies between host and device,
values that come to the host, shapes that depend on values. Python takes the ways of a GPU.
"""

import json
import sys
import traceback
from collections import Counter

import numpy as np
import torch
from mmengine.config import DictAction
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import mmscd.engine  # noqa: F401
from mmscd.models.loading import disable_initial_weights
from mmscd.registry import MODELS, TEACHERS
from mmscd.utils.config import load_config

DEVICE = 'pretended:0'
HOST = ('_local_scalar_dense', '_linalg_check_errors', 'nonzero', 'masked_select', 'is_nonzero')
refused = Counter()


class Module(backend_registration._DummyBackendModule):
    def get_amp_supported_dtype(self):
        return [torch.bfloat16, torch.float16]

    def is_autocast_enabled(self):
        return False

    def _is_in_bad_fork(self):
        return False


def refuse(what):
    frames = [f for f in traceback.extract_stack() if '/mmscd/' in f.filename]
    frames = [f'{f.filename.split("/mmscd/")[-1]}:{f.lineno}' for f in frames[-2:]]
    refused[f'{what} in {" > ".join(frames)}'] += 1


def devices(tree):
    return {leaf.device.type for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)}


class Watch(TorchDispatchMode):
    """Notes operations that a recording would refuse."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if name.startswith('_fused_'):  # has no form for shapes alone
            places = devices((args, kwargs))
            return refuse(str(func)) if len(places) > 1 else None
        out = func(*args, **kwargs)
        places, results = devices((args, kwargs)), devices(out)
        if name in HOST or len(places | results) > 1:
            refuse(f'{func} ({" ".join(sorted(places))} to {" ".join(sorted(results)) or "host"})')
        return out


class Constants(TorchFunctionMode):
    """Notes tensors made of Python's numbers on the device, which are copied there."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in (torch.tensor, torch.as_tensor, torch.Tensor.new_tensor):
            own = func is torch.Tensor.new_tensor
            value = args[1] if own else args[0]
            device = torch.device(kwargs.get('device') or (args[0].device if own else 'cpu'))
            if not isinstance(value, torch.Tensor) and device.type == 'pretended':
                refuse(func.__name__)
                kind = kwargs.get('dtype') or (args[0].dtype if own else torch.get_default_dtype())
                return torch.empty(np.shape(value), dtype=kind, device=device)
        return func(*args, **kwargs)


def pretend(module, mode):
    """Move a module to the device."""
    for part in module.modules():
        for name, value in part._parameters.items():
            if value is not None:
                moved = mode.from_tensor(value.detach()).to(DEVICE)
                part._parameters[name] = torch.nn.Parameter(moved, value.requires_grad)
        for name, value in part._buffers.items():
            if value is not None:
                part._buffers[name] = mode.from_tensor(value).to(DEVICE)


def main(path, *options):
    backend_registration._setup_privateuseone_for_python_backend('pretended', Module())
    init_default_scope('mmscd')
    cfg = load_config(path)
    parse = DictAction._parse_iterable
    cfg.merge_from_dict({k: parse(v) for k, v in (option.split('=', 1) for option in options)})
    disable_initial_weights(cfg.model)
    model, mode = MODELS.build(cfg.model).train(), FakeTensorMode(allow_non_fake_inputs=True)
    teacher = TEACHERS.build(model.distiller.teacher_cfg) if model.distiller else torch.nn.Module()
    with mode:
        pretend(model, mode)
        pretend(teacher, mode)
        model.data_preprocessor._device = torch.device(DEVICE)
        if model.distiller:
            model.distiller.attach_teacher(teacher)
            model.distiller.diagnose, model.distiller.factor = False, torch.empty((), device=DEVICE)
        for name in model.losses:
            model.loss_factors[name] = torch.empty((), device=DEVICE)
        count = len(model.frame_ids)
        frames = torch.empty(2, count, 3, 64, 128, dtype=torch.uint8, device=DEVICE)
        inputs = dict(frames=frames, K=torch.empty(2, 3, 3, device=DEVICE))
        inputs['draw_key'] = torch.empty(2, dtype=torch.int64, device=DEVICE)
        if 's' in model.frame_ids:
            inputs['T_stereo'] = torch.empty(2, 4, 4, device=DEVICE)
        optimizer = torch.optim.Adam(model.parameters(), fused=True, capturable=True)
        optimizer.param_groups[0]['lr'] = torch.empty((), device=DEVICE)
        wrapper = OptimWrapper(optimizer)
        for _ in range(2):  # constants may be made in the first step, which is not recorded
            refused.clear()
            with Watch(), Constants():
                logs = model.train_step(dict(inputs=inputs, data_samples=None), wrapper)
    print('losses:', ' '.join(logs))
    print('refused:', json.dumps(refused))


if __name__ == '__main__':
    main(*sys.argv[1:])

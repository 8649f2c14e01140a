"""What stands in for a CUDA graph on a CPU.

It records the operations of PyTorch that a step runs, each with the very tensors, and replays them
on the same memory: Python is not run again. What a graph refuses is refused: values that come to
the host, shapes that depend on values, constants from the host.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map_only


class RefusedError(Exception):
    """A graph could not hold this operation."""


_HOST = ('_local_scalar_dense', 'is_nonzero', 'equal', '_linalg_check_errors')
_SHAPES = ('nonzero', 'masked_select', '_unique2', 'unique_dim', 'bincount')
_METADATA = ('resize_', 'set_', 'squeeze_', 'unsqueeze_', 't_', 'transpose_', 'as_strided_')


def check(func, args):
    name = func.overloadpacket.__name__
    if name in (*_HOST, *_SHAPES, *_METADATA) or str(func) == 'aten.repeat_interleave.Tensor':
        raise RefusedError(f'{func} cannot be recorded')
    # `x[...] = 1` makes a scalar, on a GPU without a copy
    if name == 'lift_fresh' and args[0].ndim:
        raise RefusedError('torch.tensor() makes a constant on the host')
    if name.startswith('index') and len(args) > 1 and isinstance(args[1], (list, tuple)):
        for index in args[1]:
            if isinstance(index, torch.Tensor) and index.dtype in (torch.bool, torch.uint8):
                raise RefusedError(f'{func} by a mask has a shape that depends on values')


def places(tree):
    leaves = (leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor))
    return {leaf.untyped_storage().data_ptr(): leaf for leaf in leaves if leaf.numel()}


class StandIn(TorchDispatchMode):
    """A `Recorder` (see `mmscd.engine.step_graph`) for the CPU."""

    device_type = 'cpu'

    def __init__(self):
        super().__init__()
        self.operations, self.made, self.before = [], {}, {}

    def warm_up(self, step):
        return step()

    def record(self, step):
        self.__init__()
        with torch.random.fork_rng(devices=[]), self:
            result = step()
        # a recording has no effect
        for tensor, bytes_ in self.before.values():
            tensor.untyped_storage().copy_(bytes_)
        return result.detach()

    def replay(self):
        with torch.no_grad():
            for func, args, kwargs, outputs in self.operations:
                found = func(*args, **kwargs)
                for old, new in zip(outputs, tree_leaves(found), strict=True):
                    if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                        old.copy_(new)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.namespace == 'profiler' or 'type' in func.overloadpacket.__name__:
            return func(*args, **kwargs)
        check(func, args)
        for place, tensor in places((args, kwargs)).items():
            if place not in self.made and place not in self.before:
                self.before[place] = tensor.detach(), tensor.untyped_storage().clone()
        inputs = places((args, kwargs))
        # aliases: the tensors themselves hold graphs of autograd
        kept = tree_map_only(torch.Tensor, lambda t: t.detach(), (args, kwargs))
        out = func(*args, **kwargs)
        outputs = tree_map_only(torch.Tensor, lambda t: t.detach(), tree_flatten(out)[0])
        if any(leaf is not None and not isinstance(leaf, torch.Tensor) for leaf in outputs):
            raise RefusedError(f'{func} gives {outputs} to the host')
        self.made.update(places(outputs))
        fresh = func._schema.is_mutable or not set(places(outputs)) <= set(inputs)
        if fresh and 'empty' not in func.overloadpacket.__name__:
            self.operations.append((func, *kept, outputs))
        return out

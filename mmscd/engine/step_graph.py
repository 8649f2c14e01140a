"""A training step that is recorded once and then replayed: one CUDA graph instead of thousands of
kernels that Python starts one by one."""

from __future__ import annotations

import copy
import gc
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from .hooks.schedule_hook import unwrap_model
from .optimizers import make_capturable

# eager steps before a recording, as PyTorch's notes on CUDA graphs advise: they choose algorithms,
# make work spaces and the optimizer's state
WARM_UP = 3
WARNING = 30

Logs = dict[str, Tensor]


class Recorder(Protocol):
    """What a step can be recorded by."""

    device_type: str

    def warm_up(self, step: Callable[[], Tensor]) -> Tensor:
        """Result of a step that runs as it will be recorded."""

    def record(self, step: Callable[[], Tensor]) -> Tensor:
        """Record a step, which has no effect yet; gives where its result will stand after every
        replay. What was recorded before is forgotten."""

    def replay(self) -> None:
        """Do the recorded step."""


class CudaRecorder:
    """Records by `torch.cuda.CUDAGraph`, in a memory pool of its own."""

    device_type = 'cuda'

    def __init__(self) -> None:
        self._stream = torch.cuda.Stream()
        self._graph: torch.cuda.CUDAGraph | None = None

    def warm_up(self, step: Callable[[], Tensor]) -> Tensor:
        """On the stream of the recording: work spaces of libraries belong to a stream."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            result = step()
        torch.cuda.current_stream().wait_stream(self._stream)
        return result

    def record(self, step: Callable[[], Tensor]) -> Tensor:
        """RuntimeError: the step does what cannot be recorded, as a wait for the device."""
        torch.cuda.synchronize()
        self._graph = None
        gc.collect()  # a graph of autograd that is left over would bind gradients to its stream
        graph = torch.cuda.CUDAGraph()
        # the outer context ends also where `graph` fails; threads that pin memory go on meanwhile
        with (
            torch.cuda.stream(self._stream),
            torch.cuda.graph(graph, stream=self._stream, capture_error_mode='thread_local'),
        ):
            result = step()
        self._graph = graph
        return result

    def replay(self) -> None:
        """On the current stream, without a wait."""
        assert self._graph is not None, 'record() comes first'
        self._graph.replay()


class StepGraph:
    """In the place of a model's `train_step`: records the step, and replays it while nothing
    changes that Python decides.

    What differs from step to step stands on the device: the batch, the learning rates, the
    strengths of the parts. Where something else changes (a part begins or ends, moments are
    forgotten, a module changes its mode, a weight its place or whether it learns), a few eager
    steps and a new recording follow. Eager as well are batches of another shape and steps with
    diagnostics of the graph. A step that cannot be recorded goes on eagerly, with a sentence.

    Args:
        model: whose class has the `train_step`; on its device when the first step begins.
        recorder: makes what records.
    """

    def __init__(self, model: BaseModel, recorder: type[Recorder] = CudaRecorder) -> None:
        self.model, self.recorder, self.replays = model, recorder, 0
        self._machine: Recorder | None = None
        self._begun, self._recordable = False, True
        self._numbers: dict[tuple, tuple[float, Tensor]] = {}
        self._inputs: dict[str, Tensor] = {}
        # of the recording: what it depends on, eager steps before it, the log's names and values
        self._signature: tuple = ()
        self._warm, self._names = 0, list[str]()
        self._values: Tensor | None = None

    def __deepcopy__(self, memo: dict) -> StepGraph:
        return StepGraph(copy.deepcopy(self.model, memo), self.recorder)

    def __call__(self, data: Any, optim_wrapper: OptimWrapper) -> Logs:
        """One training step, as mmengine's `train_step`; values of the log are detached."""
        if not self._begun:
            self._begin(optim_wrapper)
        if self._machine is None:
            return self.model.__class__.train_step(self.model, data, optim_wrapper)
        optimizer = optim_wrapper.optimizer
        self._set_numbers(optimizer)
        if self._sign(optimizer) != self._signature:
            self._reset()
            self._signature = self._sign(optimizer)
        if self._diagnoses() or not self._recordable or not self._take(data):
            return self._step(data, optim_wrapper)
        step = partial(self._static_step, optim_wrapper)
        if self._values is None and self._warm < WARM_UP:
            self._warm += 1
            # the model looks at what the samples say of themselves while it still can
            values = self._machine.warm_up(partial(step, data.get('data_samples')))
        elif self._values is None and not self._record(step):
            optimizer.zero_grad()
            values = step()
        else:
            self._machine.replay()
            self.replays += 1
            assert self._values is not None  # _record() put it there
            values = self._values.clone()
        return dict(zip(self._names, values.unbind(), strict=True))

    def _begin(self, optim_wrapper: OptimWrapper) -> None:
        """Get ready, or say why not."""
        self._begun = True
        if reason := why_eager(self.model, optim_wrapper, self.recorder.device_type):
            _say_eager(reason)
            return
        make_capturable(optim_wrapper.optimizer)
        self._machine = self.recorder()
        self._reset()

    def _reset(self) -> None:
        """What was recorded does not count any more."""
        self._warm, self._values = 0, None
        owners = [self.model, getattr(getattr(self.model, 'distiller', None), 'teacher', None)]
        self._modules = [module for owner in owners if owner for module in owner.modules()]
        self._tensors = [t for o in owners if o for t in (*o.parameters(), *o.buffers())]

    def _record(self, step: Callable[[], Tensor]) -> bool:
        assert self._machine is not None
        try:
            self._values = self._machine.record(step)
        except RuntimeError as error:
            _say_eager(f'the step cannot be recorded ({_first_cause(error)})')
            self._recordable = False
        else:
            print_log('model.cuda_graph: the step is recorded, and replayed from now on', 'current')
        return self._recordable

    def _static_step(self, optim_wrapper: OptimWrapper, data_samples: Any = None) -> Tensor:
        """A step on the batch that was taken; the values of its log, in the order of `_names`."""
        logs = self._step(dict(inputs=self._inputs, data_samples=data_samples), optim_wrapper)
        self._names = list(logs)
        return torch.stack([value.reshape(()) for value in logs.values()])

    def _step(self, data: Any, optim_wrapper: OptimWrapper) -> Logs:
        """The step itself, with learning rates on the device; others want them as numbers."""
        groups = optim_wrapper.optimizer.param_groups
        rates = [group['lr'] for group in groups]
        try:
            for i, group in enumerate(groups):
                group['lr'] = self._numbers['lr', i][1]
            logs = self.model.__class__.train_step(self.model, data, optim_wrapper)
        finally:
            for group, rate in zip(groups, rates, strict=True):
                group['lr'] = rate
        return {name: value.detach() for name, value in logs.items()}

    def _set_numbers(self, optimizer: Optimizer) -> None:
        """Bring learning rates and strengths to the device where they have changed."""
        for i, group in enumerate(optimizer.param_groups):
            self._number(('lr', i), group['lr'])
        for name, strength in getattr(self.model, 'loss_strengths', {}).items():
            self.model.loss_factors[name] = self._number(('loss', name), strength)
        if (distiller := getattr(self.model, 'distiller', None)) is not None:
            distiller.factor = self._number(('graph',), distiller.strength)

    def _number(self, name: tuple, value: float) -> Tensor:
        known, tensor = self._numbers.get(name, (None, None))
        if tensor is None:
            tensor = torch.zeros((), device=self._tensors[0].device)
        if known != value:
            # by a kernel: memory of the host could change before an asynchronous copy reads it
            self._numbers[name] = value, tensor.fill_(value)
        return tensor

    def _sign(self, optimizer: Optimizer) -> tuple:
        """Whatever Python decides by, or a recording holds an address of."""
        model, distiller = self.model, getattr(self.model, 'distiller', None)
        strengths = [*getattr(model, 'loss_strengths', {}).values()]
        teacher = None
        if distiller is not None:
            strengths.append(distiller.strength)
            teacher = id(distiller.teacher)
        fixed, places = [], [tensor.data_ptr() for tensor in self._tensors]
        for group in optimizer.param_groups:
            fixed += [(k, v) for k, v in group.items() if k not in ('params', 'lr')]
            for parameter in group['params']:
                state = optimizer.state.get(parameter, {}).values()
                places += [value.data_ptr() for value in state if isinstance(value, Tensor)]
        return (
            [strength > 0 for strength in strengths],
            teacher,
            [module.training for module in self._modules],
            [tensor.requires_grad for tensor in self._tensors],
            places,
            fixed,
        )

    def _diagnoses(self) -> bool:
        distiller = getattr(self.model, 'distiller', None)
        return distiller is not None and distiller.strength > 0 and distiller.diagnose

    def _take(self, data: Any) -> bool:
        """Put a batch where the recorded step reads it; False: it does not fit there."""
        inputs = data.get('inputs') if isinstance(data, Mapping) else None
        if not isinstance(inputs, Mapping) or not all(map(torch.is_tensor, inputs.values())):
            return False
        if _layout(inputs) != _layout(self._inputs):
            if self._values is not None:
                return False
            device = self._tensors[0].device
            self._inputs = {k: torch.empty_like(v, device=device) for k, v in inputs.items()}
            self._warm = 0
        for name, value in inputs.items():
            self._inputs[name].copy_(value, non_blocking=True)
        return True


def _layout(inputs: Mapping[str, Tensor]) -> dict[str, tuple]:
    return {name: (value.shape, value.dtype) for name, value in inputs.items()}


def _first_cause(error: BaseException) -> str:
    """The first line of the first error (the end of a broken recording fails too), and its place
    in this package."""
    while isinstance(error.__context__, RuntimeError):
        error = error.__context__
    frames = traceback.extract_tb(error.__traceback__)
    places = [f'{Path(f.filename).name}:{f.lineno}' for f in frames if 'mmscd' in f.filename]
    return ', '.join([*str(error).splitlines()[:1], *places[-1:]])


def _say_eager(reason: str) -> None:
    print_log(f'model.cuda_graph: {reason}; steps are eager', 'current', WARNING)


def why_eager(model: nn.Module, optim_wrapper: OptimWrapper, device_type: str) -> str | None:
    """Why the steps of this training cannot be recorded; None: they can."""
    if (device := next(model.parameters()).device.type) != device_type:
        return f'the model is on {device}, which has none'
    if type(optim_wrapper) is not OptimWrapper:
        name = type(optim_wrapper).__name__
        mend = "set model.network_dtype='bfloat16' and optim_wrapper.type='OptimWrapper'"
        return f'{name} decides on the host what to do with gradients: {mend}'
    if optim_wrapper._accumulative_counts != 1:
        return 'steps that accumulate gradients differ: set optim_wrapper.accumulative_counts=1'
    if optim_wrapper.clip_grad_kwargs:
        return 'the norm of clipped gradients is logged by the host: drop optim_wrapper.clip_grad'
    if not isinstance(optim_wrapper.optimizer, (Adam, AdamW, SGD)):
        name = type(optim_wrapper.optimizer).__name__
        return f'{name} has no form for it: take Adam, AdamW or SGD'
    if any(isinstance(module, nn.SyncBatchNorm) for module in model.modules()):
        return 'SyncBatchNorm waits for other processes: set sync_bn=None'
    return None


def use_step_graph(model: nn.Module) -> None:
    """Let a model whose `cuda_graph` is True replay its training steps."""
    inner = unwrap_model(model)
    if getattr(inner, 'cuda_graph', False) is not True:
        return
    if inner is not model:
        _say_eager(f'{type(model).__name__} exchanges gradients between processes')
        return
    model.train_step = StepGraph(inner)  # type: ignore[assignment]

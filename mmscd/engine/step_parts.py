"""Where the time of a training step goes, and how many operations it takes, part by part."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

# the loss is what is none of the others, the distiller's graph included
PARTS = ('preprocessor', 'networks', 'teacher', 'loss', 'optimizer')
_NO_KERNEL = ('detach', '_unsafe_view', 'lift_fresh', '_reshape_alias', 'set_', 'resize_')


class PartClock:
    """Which part of a step is at work, and since when.

    A step is watched from outside: by its methods and, backwards, by the nodes of its graph, which
    are the networks' where a network's output descends from them. That costs time of its own, so a
    step is timed without, and only its shares are taken from here.
    """

    def __init__(self) -> None:
        self.part = ''
        self._marks: list[tuple[str, Any]] = []
        self._of_networks: set[Any] = set()

    def switch(self, part: str) -> str:
        """Let another part begin; the one before."""
        before, self.part = self.part, part
        if part != before:
            self._marks.append((part, _now()))
        return before

    def shares(self) -> dict[str, float]:
        """By part, its share of the time between the first and the last switch."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        sums = dict.fromkeys(PARTS, 0.0)
        for (part, begin), (_, end) in zip(self._marks, self._marks[1:], strict=False):
            sums[part] += _between(begin, end)
        total = sum(sums.values())
        return {part: value / total for part, value in sums.items()}

    @contextmanager
    def watching(self, model: nn.Module, optimizer: Any) -> Iterator[None]:
        """While it is open, the steps of an estimator and its OptimWrapper tell their parts."""
        methods = [(model.data_preprocessor, 'forward', 'preprocessor')]
        methods += [(model, f'estimate_{name}', 'networks') for name in ('disps', 'poses')]
        methods += [(optimizer, name, 'optimizer') for name in ('step', 'zero_grad')]
        if getattr(model, 'distiller', None) is not None:
            methods.append((model.distiller, 'run_teacher', 'teacher'))
        with ExitStack() as stack:
            for owner, name, part in methods:
                stack.enter_context(_replaced(owner, name, self._watched(owner, name, part)))
            backward = self._watched_backward(optimizer.backward)
            stack.enter_context(_replaced(optimizer, 'backward', backward))
            yield

    def _watched(self, owner: Any, name: str, part: str) -> Callable:
        method = getattr(owner, name)

        def run(*args: Any, **kwargs: Any) -> Any:
            before = self.switch(part)
            try:
                found = method(*args, **kwargs)
            finally:
                # the preprocessor begins a step, the loss is what comes after it
                self.switch('loss' if part == 'preprocessor' else before)
            if part == 'networks':
                self._of_networks |= _nodes(found)
            return found

        return run

    def _watched_backward(self, backward: Callable) -> Callable:
        def run(loss: Tensor, **kwargs: Any) -> Any:
            for node in _nodes(loss):
                if hasattr(node, 'variable'):  # adds to a gradient, and outlives the step
                    continue
                part = 'networks' if node in self._of_networks else 'loss'
                node.register_prehook(lambda _, part=part: self.switch(part) and None)
            self._of_networks.clear()
            self.switch('loss')
            found = backward(loss, **kwargs)
            self.switch('loss')
            return found

        return run


class _OperationCounter(TorchDispatchMode):
    def __init__(self, clock: PartClock) -> None:
        super().__init__()
        self.clock, self.counts = clock, Counter[tuple[str, str]]()

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Compiled code runs as ever; what it calls of PyTorch is counted."""
        return True

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: Any = None
    ) -> Any:
        name = func.overloadpacket.__name__
        if not (func.is_view or 'empty' in name or name in _NO_KERNEL):
            self.counts[self.clock.part, name] += 1
        return func(*args, **(kwargs or {}))


def count_operations(
    side: Callable[[], Any], clock: PartClock | None = None
) -> Counter[tuple[str, str]]:
    """How often a side runs each operation of PyTorch that computes something, by (part at work,
    name), so about how many kernels it starts on a GPU; views and allocations do not count. On a
    CPU, where one thread runs all of a step; kernels that PyTorch does not dispatch are not seen,
    see `count_generated`."""
    with _OperationCounter(clock or PartClock()) as counter:
        side()
    return counter.counts


def count_generated(side: Callable[[], Any]) -> int:
    """How many kernels of its own `torch.compile` makes for what a side compiles, forward and
    backward; a side runs each of them once. It compiles all anew."""
    from torch._inductor.utils import run_and_get_code

    torch._dynamo.reset()
    with torch._inductor.config.patch(force_disable_caches=True):
        _, codes = run_and_get_code(side)
    calls = (code[code.index('def call(') :] for code in codes)
    return sum(len(re.findall(r'\b(?:cpp_fused_\w+\(|triton_\w+\.run\()', c)) for c in calls)


def count_kernels(side: Callable[[], Any]) -> int:
    """How many kernels, copies and fills a side runs on a GPU, replays of a graph included."""
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        side()
        torch.cuda.synchronize()
    on_device = torch.autograd.DeviceType.CUDA
    return sum(event.device_type == on_device for event in profiler.events() or ())


def _nodes(values: Any) -> set[Any]:
    """All nodes of the graphs that tensors in nested lists and tuples come from."""
    if isinstance(values, (list, tuple)):
        return set().union(*map(_nodes, values))
    found: set[Any] = set()
    waiting = [values.grad_fn] if isinstance(values, Tensor) else []
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found.add(node)
            waiting.extend(parent for parent, _ in node.next_functions)
    return found


@contextmanager
def _replaced(owner: Any, name: str, by: Callable) -> Iterator[None]:
    setattr(owner, name, by)
    try:
        yield
    finally:
        delattr(owner, name)


def _now() -> Any:
    if not torch.cuda.is_available():
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def _between(begin: Any, end: Any) -> float:
    return end - begin if isinstance(begin, float) else begin.elapsed_time(end)

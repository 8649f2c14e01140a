"""Batches that are on the GPU before the step that needs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


class Prefetcher:
    """The batches of a training, in their order, each copied while the step before it runs.

    The copy of the next batch starts, on a stream of its own, when a batch is handed out; out of
    pinned memory it goes on beside the kernels of that step. What a data set does on the GPU by
    itself runs on that stream as well. No thread, so nothing of it falls into the recording of a
    CUDA graph.

    Args:
        batches: mmengine's iterator of a training loop, with `skip_iter`; its batches are dicts
            with `inputs`, a dict of tensors.
        device: of the model. On a CPU there is nothing to overlap, and batches come as they are.
    """

    def __init__(self, batches: Any, device: torch.device) -> None:
        self.batches, self.device = batches, device
        self.stream = torch.cuda.Stream(device) if device.type == 'cuda' else None
        self._next: dict[str, Any] | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self

    def __next__(self) -> dict[str, Any]:
        batch = self._fetch() if self._next is None else self._next
        if self.stream is not None:
            current = torch.cuda.current_stream(self.device)
            current.wait_stream(self.stream)
            for tensor in batch['inputs'].values():
                if isinstance(tensor, Tensor) and tensor.is_cuda:
                    # else its memory could be the next batch's while a step still reads it
                    tensor.record_stream(current)
        self._next = self._fetch()
        return batch

    def skip_iter(self, count: int) -> None:
        """Go on after so many batches; before the first one is taken."""
        assert self._next is None
        self.batches.skip_iter(count)

    def _fetch(self) -> dict[str, Any]:
        with torch.cuda.stream(self.stream):
            batch = next(self.batches)
            inputs = {
                key: value.to(self.device, non_blocking=True)
                if isinstance(value, Tensor)
                else value
                for key, value in batch['inputs'].items()
            }
        return dict(batch, inputs=inputs)

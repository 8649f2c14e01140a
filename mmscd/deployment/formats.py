"""ONNX, torch.export and TorchScript files of a `DepthGraph`, as bytes and back.

ONNX is made by PyTorch's exporter over `torch.export` (its default since 2.9; the parameters keep
their names, and sizes that do not fit are refused by the graph's own shape). Opsets below 18 are
older than its operators; those go through the TorchScript exporter.
"""

from __future__ import annotations

import importlib.util
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .depth_graph import DepthGraph

SUFFIXES = {'onnx': '.onnx', 'torch-export': '.pt2', 'torchscript': '.pt'}
FORMATS = tuple(SUFFIXES)
INPUT, OUTPUT = 'image', 'inv_depth'
OLDEST_OPSET, FIRST_NEW_OPSET, NEWEST_OPSET = 13, 18, 23
INSTALL = 'pip install mmscd[deploy]'


@dataclass(frozen=True)
class ExportOptions:
    """What kind of file.

    Attributes:
        size: (width, height) of the input; with `dynamic_size` the one it is made and checked at.
        batch: images per call, 1 or more; with `dynamic_batch` any number.
        dynamic_batch, dynamic_size: leave them open; sides stay multiples of the graph's stride.
        opset: of ONNX.
        simplify: let onnxslim fold constants and drop what is not needed.
    """

    size: tuple[int, int]
    batch: int = 1
    dynamic_batch: bool = False
    dynamic_size: bool = False
    opset: int = FIRST_NEW_OPSET
    simplify: bool = False


def export(graph: DepthGraph, kind: str, options: ExportOptions, meta: dict[str, str]) -> bytes:
    """Content of a file.

    Args:
        graph: on the CPU.
        kind: one of `FORMATS`.
        options: see there.
        meta: kept in ONNX files as custom metadata.

    Raises:
        ImportError: a package of the extra `deploy` is missing.
        ValueError: size, batch or opset cannot be.
    """
    check_options(graph, kind, options)
    if kind == 'onnx':
        return _finish_onnx(_to_onnx(graph, options), options, meta)
    buffer = io.BytesIO()
    if kind == 'torch-export':
        with torch.no_grad():
            shapes = _dynamic_shapes(graph, options)
            program = torch.export.export(graph, (_example(options),), dynamic_shapes=shapes)
        torch.export.save(program, buffer)
    else:
        with _quiet(), torch.no_grad():
            torch.jit.save(torch.jit.trace(graph, _example(options), check_trace=False), buffer)
    return buffer.getvalue()


def check_options(graph: DepthGraph, kind: str, options: ExportOptions) -> None:
    """Refuse what cannot be exported, before anything is computed; raises as `export`."""
    if kind not in FORMATS:
        raise ValueError(f'the format must be one of {FORMATS}, got {kind!r}')
    graph.check_size(options.size)
    if options.batch < 1:
        raise ValueError(f'a batch has at least one image, got {options.batch}')
    if kind == 'onnx':
        known = f'{OLDEST_OPSET}..{NEWEST_OPSET}'
        if not OLDEST_OPSET <= options.opset <= NEWEST_OPSET:
            raise ValueError(f'opset must lie in {known}, got {options.opset}')
        new, slim = options.opset >= FIRST_NEW_OPSET, options.simplify
        require('onnx', 'onnxruntime', *['onnxscript'] * new, *['onnxslim'] * slim)


def require(*packages: str) -> None:
    """ImportError where a package of the extra `deploy` is missing."""
    if missing := [name for name in packages if importlib.util.find_spec(name) is None]:
        raise ImportError(f'this needs {", ".join(missing)}: {INSTALL}')


def _example(options: ExportOptions) -> Tensor:
    width, height = options.size
    # a batch of one would be taken for a constant
    batch = max(2, options.batch) if options.dynamic_batch else options.batch
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(0))


def _dynamic_shapes(graph: DepthGraph, options: ExportOptions) -> tuple[dict[int, Any]]:
    dim = torch.export.Dim
    shapes: dict[int, Any] = {0: dim('batch', min=1, max=4096)} if options.dynamic_batch else {}
    if options.dynamic_size:  # reflection needs maps of two pixels at least
        shapes |= {2: graph.stride * dim('rows', min=2, max=512)}
        shapes |= {3: graph.stride * dim('columns', min=2, max=512)}
    return (shapes,)


def _to_onnx(graph: DepthGraph, options: ExportOptions) -> Any:
    """An onnx.ModelProto."""
    import onnx

    names: dict[str, Any] = dict(input_names=[INPUT], output_names=[OUTPUT])
    names['opset_version'] = options.opset
    example = (_example(options),)
    with _quiet(), torch.no_grad():
        if options.opset >= FIRST_NEW_OPSET:
            names |= dict(dynamo=True, dynamic_shapes=_dynamic_shapes(graph, options))
            program = torch.onnx.export(graph, example, external_data=False, verbose=False, **names)
            return program.model_proto
        axes = {0: 'batch'} if options.dynamic_batch else {}
        axes |= {2: 'height', 3: 'width'} if options.dynamic_size else {}
        names |= dict(dynamo=False, dynamic_axes={INPUT: axes, OUTPUT: axes})
        buffer = io.BytesIO()
        torch.onnx.export(graph, example, buffer, **names)
        return onnx.load_from_string(buffer.getvalue())


def _finish_onnx(model: Any, options: ExportOptions, meta: dict[str, str]) -> bytes:
    """Simplify, check, and put our metadata where the exporter left its own."""
    import onnx

    if options.simplify:
        import onnxslim

        model = onnxslim.slim(model)
    # the exporter notes source lines of the machine it ran on with every node
    graph = model.graph
    values = (*graph.input, *graph.output, *graph.value_info, *graph.initializer)
    for item in (model, graph, *graph.node, *values):
        item.doc_string = ''
        del item.metadata_props[:]
    onnx.helper.set_model_props(model, meta)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def run_exported(kind: str, data: bytes) -> Callable[[Tensor], Tensor]:
    """The function that the content of a file of `FORMATS` holds: images (B, 3, H, W) to inverse
    depth (B, 1, H, W)."""
    if kind == 'onnx':
        return onnx_session(data)
    if kind == 'torch-export':
        return torch.export.load(io.BytesIO(data)).module()
    with _quiet():
        return torch.jit.load(io.BytesIO(data))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' words on absent torchvision and on TorchScript's deprecation."""
    logger = logging.getLogger('torch.onnx')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logger.setLevel(level)


def onnx_session(data: bytes | str, providers: list[str] | None = None) -> Callable:
    """An ONNX file as a function of tensors; the CPU by default."""
    require('onnxruntime')
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    settings.intra_op_num_threads = torch.get_num_threads()
    providers = providers or ['CPUExecutionProvider']
    session = onnxruntime.InferenceSession(data, settings, providers=providers)
    name = session.get_inputs()[0].name

    def run(images: Tensor) -> Tensor:
        array = np.ascontiguousarray(images.cpu().numpy())
        return torch.from_numpy(session.run(None, {name: array})[0])

    return run

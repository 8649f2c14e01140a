"""Weights of mmseg networks: where they are, and loading them without running their code."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from mmengine.logging import print_log
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmscd.models._misfit import describe_misfit
from mmscd.utils.config import resolve_config_path
from mmscd.utils.schema import check
from mmscd.utils.text import parse_yaml, read_text
from mmscd.utils.weights import check_finite, named_tensors

# what networks without their training parts and with older torch versions may lack or bring
_TOLERATED = re.compile(r'(auxiliary_head|data_preprocessor)\.|.*num_batches_tracked$')


def find_weights(config: str) -> str:
    """URL of the weights that a config was published with.

    mmseg keeps a `metafile.yaml` beside its configs, in a checkout as well as in the wheel, that
    lists the weights by config name.

    Args:
        config: `mmseg::segformer/....py`, or the path of a config with a metafile beside it.

    Raises:
        ValueError: no metafile lists weights for that name, or it lists several.
    """
    path = resolve_config_path(config)
    files = [path.with_name(n) for n in ('metafile.yaml', 'metafile.yml')]
    files = [f for f in files if f.is_file()]
    if not files:
        raise ValueError(
            f'no weights are known for {config}: there is no metafile in {path.parent}'
        )
    content = parse_yaml(read_text(files[0]), str(files[0]))
    models = content.get('Models', []) if isinstance(content, Mapping) else content
    known = [{'Name': str, 'Weights?': (str, None)}]
    check(models, known, files[0], 'take the metafile of the release again')
    listed: dict[str, set[str]] = {}
    for model in models:
        if model.get('Weights'):
            listed.setdefault(model['Name'], set()).add(model['Weights'])
    weights = sorted(listed.get(path.stem, ()))
    if len(weights) > 1:
        raise ValueError(f'{files[0]} lists several weights for {path.stem}: give one of {weights}')
    if not weights:
        close = difflib.get_close_matches(path.stem, listed, n=3, cutoff=0.3)
        raise ValueError(
            f'{files[0]} lists no weights for {path.stem}; it does for, e.g., {", ".join(close)}'
        )
    return weights[0]


def load_weights(network: nn.Module, source: str) -> dict[str, Any]:
    """Load a checkpoint into a network built from its config; gives its `meta`, empty without one.

    Every key has to fit; auxiliary heads, preprocessing buffers and `num_batches_tracked` may be
    missing or left over, fp16 weights become what the network has. `source` is a path or an http(s)
    URL, downloaded once into torch's cache; a file that holds more than tensors and plain data is
    refused.
    """
    checkpoint = CheckpointLoader.load_checkpoint(source, map_location='cpu', logger='silent')
    state = named_tensors(checkpoint, source)
    judged = [
        {k: v for k, v in weights.items() if not _TOLERATED.match(k)}
        for weights in (network.state_dict(), state)
    ]
    parts = [getattr(network, name, None) for name in ('backbone', 'decode_head')]
    name = ' + '.join(type(p).__name__ for p in parts if p is not None) or 'the network'
    if misfit := describe_misfit(*judged):
        raise ValueError(
            f'{source} does not fit {name}: {misfit[0]}. Give the checkpoint that belongs to the '
            'config'
        )
    check_finite(judged[1], source)
    network.load_state_dict(judged[1], strict=False)
    meta = checkpoint.get('meta')
    print_log(f'teacher {name} with weights from {source}', 'current')
    return dict(meta) if isinstance(meta, Mapping) else {}


def classes_of(meta: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Class names that a checkpoint of mmseg brings along, in the order of its logits."""
    for owner, key in ((meta.get('dataset_meta'), 'classes'), (meta, 'CLASSES')):
        names = owner.get(key) if isinstance(owner, Mapping) else None
        if isinstance(names, (list, tuple)) and names:
            return tuple(map(str, names))
    return None

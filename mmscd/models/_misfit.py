"""Why weights do not fit a network, in one sentence with the mend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from mmscd.utils.weights import some

_CONVERT = 'tools/model_converters/to_mmscd.py'
# beginnings of keys that give away what a file is, and what to do about it
_OTHERS = (
    (
        ('encoder.conv1', 'encoder.layer1', 'encoder.encoder.', 'decoder.0.', 'net.0.')
        + ('downsample_layers.0.0.conv.', 'stem2.'),
        'its keys are those of Monodepth2, a fork of it, or Lite-Mono: convert the folder it lies '
        f'in with {_CONVERT} FOLDER OUT.pth, then give OUT.py and OUT.pth',
    ),
    (
        ('conv1.weight', 'layer1.0.', 'downsample_layers.', 'stages.0.'),
        'its keys are those of a bare backbone, which cannot predict depth: train with it '
        '(RESNET18_WEIGHTS), or give the weights of a whole depth model',
    ),
    (
        ('decode_head.', 'auxiliary_head.', 'segmentor.'),
        'it is a segmentation network of mmseg, which is a teacher: give weights of a depth model',
    ),
    (
        ('bbox_head.', 'rpn_head.', 'roi_head.', 'cls_head.', 'head.fc.', 'neck.'),
        'it is a model of another OpenMMLab project: give the weights of a depth model of mmscd',
    ),
)
# parts whose absence has a reason
_ABSENT = {
    'distiller': 'it has no graph: take a checkpoint of a training with the distiller; published '
    'ones have none',
    'pose_net': 'it has no pose net: take a checkpoint of a training with one; many published '
    'checkpoints have no pose net',
}


def explain_misfit(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str | None:
    """Why weights do not fit, in half a sentence; None where they do. `expected` are the network's
    own parameters and buffers, `state` those of the file without the parts that are not needed."""
    misfit = describe_misfit(expected, state)
    return f'{misfit[0]}; {_guess(state, *misfit[1:])}' if misfit else None


def describe_misfit(
    expected: Mapping[str, Tensor], state: Mapping[str, Tensor]
) -> tuple[str, list[str], list[str], list[str]] | None:
    """What does not fit in words, and the keys that are missing, unknown, of another shape."""
    missing = [k for k in expected if k not in state]
    unknown = [k for k in state if k not in expected]
    shapes = [k for k in expected if k in state and state[k].shape != expected[k].shape]
    if not (missing or unknown or shapes):
        return None
    parts = []
    if missing:
        parts.append(f'{len(missing)} of {len(expected)} parameters are missing ({some(missing)})')
    if shapes:
        key = shapes[0]
        sizes = f'{tuple(state[key].shape)} in the file, {tuple(expected[key].shape)} in the model'
        parts.append(f'{len(shapes)} have another shape ({key}: {sizes})')
    if unknown:
        parts.append(f'{len(unknown)} are unknown to the model ({some(unknown)})')
    return ', '.join(parts), missing, unknown, shapes


def _guess(
    state: Mapping[str, Tensor], missing: list[str], unknown: list[str], shapes: list[str]
) -> str:
    """What the file probably is, and what to do."""
    for beginnings, advice in _OTHERS:
        if any(key.startswith(beginnings) for key in unknown):
            return advice
    if not state:
        return 'it has no weights of a depth network: give another checkpoint'
    there = {key.split('.')[0] for key in state}
    parts = {key.split('.')[0] for key in [*missing, *unknown, *shapes]}
    if len(parts) == 1 and not parts & there and (absent := _ABSENT.get(*parts)):
        return absent
    return (
        f'they seem to be of a model with another {" and ".join(sorted(parts))}: give the config '
        'that this checkpoint was trained with (it lies beside it in the work dir)'
    )


def explain_folder(folder: Path) -> str:
    """What to do with a folder that was given as weights."""
    if (folder / 'encoder.pth').is_file():
        return (
            f'weights {folder} is a folder with files of Monodepth2, of a fork, or of Lite-Mono: '
            f'convert it with {_CONVERT} {folder} OUT.pth, then give OUT.py and OUT.pth'
        )
    return f'weights {folder} is a folder: give a checkpoint, such as iter_N.pth in a work dir'

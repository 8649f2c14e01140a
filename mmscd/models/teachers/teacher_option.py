"""Another teacher for a config that has one: what `tools/train.py --teacher` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmscd.utils.config import load_config

if TYPE_CHECKING:
    from mmengine.config import Config

# what the student's side needs of its teacher, whichever it is
KEPT = ('needs_logits',)


def set_teacher(cfg: Config, teacher: str, checkpoint: str | None = None) -> dict[str, Any]:
    """Replace the teacher of a config, in place, with nothing of the old one left; returns its
    config.

    Merging would mix the two: config inheritance keeps every key that the new teacher does not
    mention. Only `needs_logits=True` is carried over, because a part of the model asked for it.
    `teacher` is a teacher file (it defines `teacher`), or an mmseg config, by path or as
    `mmseg::...`, whose tap is then chosen by running it; `checkpoint` replaces the weights that it
    names.
    """
    from mmengine.config import ConfigDict
    from mmengine.logging import print_log

    distiller = (cfg.get('model') or {}).get('distiller')
    if not distiller:
        raise ValueError(
            f'{cfg.filename or "the config"} has no model.distiller, so a teacher has nobody to '
            'teach; take a config that distils, e.g. one of configs/scd/'
        )
    new = ConfigDict(_read_teacher(teacher, checkpoint))
    if checkpoint is not None:
        new.checkpoint = checkpoint
    for key in KEPT:
        if (distiller.get('teacher') or {}).get(key):
            new.setdefault(key, distiller.teacher[key])
    distiller.teacher = new
    if 'teacher' in cfg:  # a teacher file among the bases; a dumped config must not show the old
        cfg.teacher = new
    print_log(f'teacher set to {teacher}', 'current')
    return new


def _read_teacher(teacher: str, checkpoint: str | None) -> dict[str, Any]:
    loaded = load_config(teacher)
    if 'teacher' in loaded:
        return loaded.teacher.to_dict()
    if 'model' not in loaded:
        raise ValueError(
            f'{teacher} defines neither `teacher` nor `model`; give a file like those in '
            'configs/teachers/, or an mmseg config'
        )
    # imported here: the rest of mmscd.utils knows nothing of models
    from mmscd.models.teachers import choose_tap, find_weights

    if checkpoint is None:
        try:
            find_weights(teacher)
        except ValueError as error:
            raise ValueError(
                f'{error}. Give the weights too, in tools/train.py by --cfg-options '
                'model.distiller.teacher.checkpoint=PATH, or write a teacher file that names them'
            ) from None
    return dict(type='MMSegTeacher', config=teacher, checkpoint='auto', taps=[choose_tap(teacher)])

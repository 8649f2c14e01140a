"""Every shipped config parses, builds its model, and takes a training step where that is cheap."""

from pathlib import Path

import pytest
import torch
import yaml

from mmscd.models.loading import disable_initial_weights, model_config
from mmscd.registry import DATASETS, HOOKS, METRICS, MODELS, TEACHERS
from mmscd.robustness.ablation_runs import read_variants
from mmscd.utils.config import load_config
from mmscd.utils.option_action import parse_options

ROOT = Path(__file__).resolve().parents[2]
LEAVES = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob('configs/*/*.py'), *ROOT.glob('projects/*/configs/*.py')]
    if path.parent.name != '_base_' and 'max_iters' in str(load_config(str(path)).get('train_cfg'))
)
SCD = 'configs/scd/scd_r18_kitti.py'
TABLE = ROOT / 'configs/scd/ablations.yml'
VARIANTS = sorted(set(yaml.safe_load(TABLE.read_text())) - {'full'})


def load(path, variant=None):
    """A config, of SCD also as one of its variants."""
    options = read_variants(TABLE, path, [variant])[0][2:] if variant else []
    return load_config(str(ROOT / path), parse_options(options))


def test_there_are_leaves():
    assert len(LEAVES) >= 9


@pytest.mark.parametrize(
    ('path', 'variant'), [*((p, None) for p in LEAVES), *((SCD, v) for v in VARIANTS)]
)
def test_config_builds(path, variant):
    cfg = load(path, variant)
    disable_initial_weights(cfg.model)
    model = MODELS.build(cfg.model)
    assert tuple(cfg.train_dataloader.dataset.frame_ids) == model.frame_ids
    assert DATASETS.get(cfg.train_dataloader.dataset.type) is not None
    METRICS.build(cfg.val_evaluator) if 'demo' not in path else None
    assert (model.distiller is None) == (cfg.default_hooks.get('distill') is None)
    for hook in filter(None, cfg.default_hooks.values()):
        assert HOOKS.get(hook.type) is not None
    width, height = cfg.img_size
    assert width % 32 == 0 and height % 32 == 0
    assert cfg.default_hooks.checkpoint.interval <= cfg.train_cfg.max_iters
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        resize = [t for t in cfg[loader].dataset.pipeline if t.type == 'ResizeFrames']
        assert tuple(resize[0]['size']) == (width, height), f'{loader} has another size'


def attach_random_teacher(model, teacher):
    if 'road_semantics' in teacher.config and not Path(teacher.config).is_file():
        pytest.skip('the teacher of this config lies in MMSCD_DATA')
    model.distiller.attach_teacher(
        TEACHERS.build(dict(teacher, checkpoint=None, allow_random=True))
    )


STEPPED = [p for p in LEAVES if 'kitti' in p and 'r50' not in p and '1024' not in p]
# a pair of parts steps if each part does
VARIANTS_STEPPED = [v for v in VARIANTS if '-' not in v]


@pytest.mark.parametrize(
    ('path', 'variant'), [*((p, None) for p in STEPPED), *((SCD, v) for v in VARIANTS_STEPPED)]
)
def test_one_training_step(path, variant):
    """With a small input, whatever the config's size."""
    cfg = load(path, variant)
    disable_initial_weights(cfg.model)
    model = MODELS.build(cfg.model).train()
    if model.distiller is not None:
        attach_random_teacher(model, cfg.model.distiller.teacher)
    frames = len(model.frame_ids)
    generator = torch.Generator().manual_seed(0)
    inputs = dict(
        frames=torch.randint(
            0, 256, (2, frames, 3, 64, 96), dtype=torch.uint8, generator=generator
        ),
        K=torch.tensor([[56.0, 0, 47.5], [0, 56, 31.5], [0, 0, 1]]).repeat(2, 1, 1),
        draw_key=torch.arange(2),
    )
    if 's' in model.frame_ids:
        inputs['T_stereo'] = torch.eye(4).repeat(2, 1, 1)
        inputs['T_stereo'][:, 0, 3] = -0.54
    data = model.data_preprocessor(dict(inputs=inputs), True)
    losses = model(**data, mode='loss')
    total = sum(value for name, value in losses.items() if name.startswith('loss_'))
    total.backward()
    assert torch.isfinite(total)
    unused = [n for n, p in model.named_parameters() if p.grad is None]
    assert not unused, f'DDP would wait for these for ever: {unused}'


def test_a_variant_has_the_parts_of_its_name():
    for variant in VARIANTS:
        model = load(SCD, variant).model
        parts = {name for name in ('structure', 'texture') if model.losses[name] is not None}
        parts |= {'graph'} if model.distiller is not None else set()
        expected = {
            **dict.fromkeys(('baseline', 'normalise'), set()),
            **dict.fromkeys(('moving', 'strict'), {'structure', 'texture', 'graph'}),
        }
        assert parts == expected.get(variant, set(variant.split('-'))), variant
    kinds = load(SCD, 'strict').model.losses.texture.perturbation.kinds
    assert kinds.light is None and kinds.missing.lowpass_prob == 0
    assert load(SCD, 'normalise').model.data_preprocessor.per_image is True
    with pytest.raises(ValueError, match="unknown variant.*'grpah': did you mean one of.*'graph'"):
        load(SCD, 'grpah')


def test_inference_leaves_teacher_and_graph_out():
    baseline = 'configs/monodepth2/monodepth2_r18_kitti.py'
    configs = [load(SCD, 'moving').model, load(baseline).model]
    ours, theirs = (MODELS.build(model_config(cfg, 'depth+pose')) for cfg in configs)
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]

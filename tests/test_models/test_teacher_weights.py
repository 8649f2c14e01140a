"""Weights of teachers: where they come from, and that only what fits is taken."""

from __future__ import annotations

import pickle

import pytest
import torch

from mmscd.models.teachers import MMSegTeacher, find_weights
from mmscd.models.teachers.checkpoints import classes_of
from mmscd.models.teachers.mmseg_network import read_model_config
from mmscd.registry import TEACHERS
from mmscd.utils import downloads

pytest.importorskip('mmseg')

CONFIG = 'mmseg::fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py'
FIRST = 'backbone.learning_to_downsample.conv.conv.weight'


def make(**options) -> MMSegTeacher:
    tap = dict(module='backbone', index=2, channels=128, stride=8)
    options = dict(config=CONFIG, taps=[tap], allow_random=True) | options
    return TEACHERS.build(dict(type='MMSegTeacher', **options))


@pytest.fixture
def image():
    return torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def test_no_weights_is_an_error():
    for checkpoint in (None, 'auto'):
        with pytest.raises(ValueError, match='has no weights: a config given as a dict'):
            make(config=read_model_config(CONFIG), checkpoint=checkpoint, allow_random=False)
    with pytest.raises(ValueError, match='lists no weights for upernet_r18_4xb2-40k_cityscapes'):
        make(
            config='mmseg::upernet/upernet_r18_4xb2-40k_cityscapes-512x1024.py', allow_random=False
        )


@pytest.fixture
def trained():
    """Weights unlike the random ones, with what only training needs."""
    generator = torch.Generator().manual_seed(5)
    state = dict(make().network.state_dict())
    for name, value in state.items():
        if value.is_floating_point():
            noise = torch.rand(value.shape, generator=generator)
            state[name] = value + 0.1 * noise
    state['auxiliary_head.0.conv_seg.weight'] = torch.ones(19, 8, 1, 1)
    return state


def save(path, state, **more):
    torch.save(dict(state_dict=state, **more), path)
    return str(path)


def test_weights_are_loaded(trained, tmp_path, image):
    meta = dict(dataset_meta=dict(classes=['road', 'car', 'a', 'b', 'c']))
    whole = make(checkpoint=save(tmp_path / 'w.pth', trained, meta=meta), allow_random=False)
    assert whole.classes == ('road', 'car', 'a', 'b', 'c') and whole.num_classes == 19
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, trained[name]), name
    other = {f'module.{k}': v.half() if v.is_floating_point() else v for k, v in trained.items()}
    other = {k: v for k, v in other.items() if not k.endswith('num_batches_tracked')}
    half = make(
        checkpoint=save(tmp_path / 'half.pth', other, meta=torch.ones(2)), allow_random=False
    )
    assert half.classes is None
    assert {p.dtype for p in half.parameters()} == {torch.float32}
    a, b = whole(image)['feats'][0], half(image)['feats'][0]
    assert 0 < (a - b).abs().max() < 0.02 * a.abs().max()


def test_keys_that_do_not_fit_are_named(trained, tmp_path):
    path = tmp_path / 'w.pth'
    missing = {k: v for k, v in trained.items() if k != FIRST}
    with pytest.raises(ValueError, match=f'w.pth does not fit FastSCNN.*missing .{FIRST}.\\. Give'):
        make(checkpoint=save(path, missing))
    with pytest.raises(ValueError, match=r'2 are unknown .*\([a-z.]+, [a-z.]+\)\. Give'):
        state = trained | {'extra.weight': torch.ones(1), 'neck.bias': torch.ones(1)}
        make(checkpoint=save(path, state))
    with pytest.raises(ValueError, match=r'another shape .decode_head.conv_seg.weight: \(150, 128'):
        state = trained | {'decode_head.conv_seg.weight': torch.ones(150, 128, 1, 1)}
        make(checkpoint=save(path, state))
    with pytest.raises(ValueError, match=r'[0-9]{2,} of [0-9]+ .* missing .*, \.\.\.\)'):
        make(checkpoint=save(path, dict(a=torch.ones(1))))
    with pytest.raises(FileNotFoundError, match='nothing.pth'):
        make(checkpoint=str(tmp_path / 'nothing.pth'))
    for state in ({1: torch.ones(2)}, dict(a='text'), None):
        with pytest.raises(ValueError, match='w.pth hold no parameters of a network'):
            make(checkpoint=save(path, state))
    with pytest.raises(ValueError, match=f'w.pth hold values .* not finite in 1 of .*{FIRST}'):
        make(checkpoint=save(path, trained | {FIRST: trained[FIRST] * torch.nan}))


def test_class_names_of_another_kind_are_none():
    for meta in (
        dict(dataset_meta=[1]),
        dict(dataset_meta=dict(classes=3)),
        dict(CLASSES=torch.ones(2)),
    ):
        assert classes_of(meta) is None
    assert classes_of(dict(dataset_meta=None, CLASSES=['road'])) == ('road',)


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit('code of a checkpoint ran')",)


def test_code_in_a_checkpoint_does_not_run(tmp_path):
    path = tmp_path / 'evil.pth'
    torch.save(dict(state_dict=Evil()), path)
    with pytest.raises((RuntimeError, pickle.UnpicklingError), match='evil.pth'):
        make(checkpoint=str(path))


def test_a_url_is_downloaded_once_and_a_failure_names_it(trained, tmp_path, monkeypatch):
    source = save(tmp_path / 'source.pth', trained)
    calls = []

    def fetch(url, target):
        calls.append(url)
        if 'missing' in url:
            raise ConnectionError('no route')
        with open(source, 'rb') as stream, open(target, 'wb') as out:
            out.write(stream.read())

    monkeypatch.setattr(downloads, '_fetch', fetch)
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    for _ in range(2):
        teacher = make(checkpoint='https://nowhere.invalid/teacher.pth', allow_random=False)
        assert torch.equal(teacher.network.state_dict()[FIRST], trained[FIRST])
    assert calls == ['https://nowhere.invalid/teacher.pth']
    with pytest.raises(OSError, match='https://nowhere.invalid/missing.pth cannot be downloaded'):
        make(checkpoint='https://nowhere.invalid/missing.pth')


def test_weights_are_found_in_a_metafile(tmp_path):
    url = find_weights('mmseg::segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py')
    assert url.endswith(
        '/segformer_mit-b0_8x1_1024x1024_160k_cityscapes_20211208_101857-e7f88502.pth'
    )
    config = tmp_path / 'net_a.py'
    config.write_text('model = dict()')
    with pytest.raises(ValueError, match='there is no metafile in'):
        find_weights(str(config))
    entry = '- Name: {}\n  Weights: https://x/{}.pth\n'
    (tmp_path / 'metafile.yml').write_text('Models:\n' + entry.format('net_b', 'b'))
    with pytest.raises(ValueError, match='lists no weights for net_a; it does for, e.g., net_b'):
        find_weights(str(config))
    (tmp_path / 'metafile.yml').write_text(entry.format('net_a', 'a'))
    assert find_weights(str(config)) == 'https://x/a.pth'
    for text, told in (
        ('Models: 5', 'the content is 5, expected a list'),
        ('- Weights: [x]\n  Name: a', r"\[0\].Weights is \['x'\], expected text or null"),
        ('- Weights: x', r'\[0\].Name is missing'),
        ('[' * 3000, 'is not yaml'),
    ):
        (tmp_path / 'metafile.yml').write_text(text)
        with pytest.raises(ValueError, match=rf'metafile\.yml.*{told}'):
            find_weights(str(config))
    (tmp_path / 'metafile.yml').write_text(entry.format('net_a', 'a') + entry.format('net_a', 'b'))
    with pytest.raises(ValueError, match='several weights for net_a: .*https://x/b.pth'):
        find_weights(str(config))

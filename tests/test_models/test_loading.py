"""Configs by name, and weights that do not fit: one sentence each, with the mend."""

import pytest
import torch

import mmscd
from mmscd import DepthInferencer, init_model
from mmscd.models.loading import explain_misfit
from mmscd.models.model_names import resolve_model
from mmscd.utils.config import load_config

# the first keys of torchvision's ResNets
RESNET = {k: torch.ones(1) for k in ('conv1.weight', 'bn1.bias', 'layer1.0.conv1.weight')}


def test_names():
    names = mmscd.list_models()
    assert {'monodepth2_r18_kitti', 'scd_r18_kitti', 'scd_r50_kitti'} <= set(names)
    assert not [n for n in names if 'schedule' in n or 'cityscapes_' in n or n == 'default_runtime']
    minis = [f'{m}_{s}_kitti-mini' for m in ('monodepth2', 'scd') for s in ('mobilenetv2', 'r18')]
    assert mmscd.list_models('*-mini') == minis
    cfg = resolve_model('monodepth2_r18_kitti')
    assert cfg.filename.endswith('configs/monodepth2/monodepth2_r18_kitti.py')
    by_package = resolve_model('mmscd::monodepth2/monodepth2_r18_kitti.py')
    assert by_package.model == cfg.model == resolve_model(cfg).model
    with pytest.raises(FileNotFoundError, match="'scd_r18_kity'.*similar names: scd_r18_kitti"):
        resolve_model('scd_r18_kity')
    with pytest.raises(FileNotFoundError, match='there is no config configs/nothing.py'):
        resolve_model('configs/nothing.py')
    with pytest.raises(TypeError, match='got int'):
        resolve_model(3)


def test_an_installed_package_finds_its_configs(tmp_path, monkeypatch):
    """As in a wheel: `.mim/configs` beside the code and no checkout around it."""
    import shutil
    from pathlib import Path

    from mmscd.models import model_names

    package = tmp_path / 'site-packages' / 'mmscd'
    (package / 'apis').mkdir(parents=True)
    configs = Path(mmscd.__file__).resolve().parents[1] / 'configs'
    shutil.copytree(configs, package / '.mim' / 'configs')
    monkeypatch.setattr(model_names, '__file__', str(package / 'models' / 'model_names.py'))
    assert model_names.config_folders() == [package / '.mim' / 'configs']
    assert str(package) in resolve_model('scd_r18_kitti').filename


def test_configs_of_other_projects(tmp_path):
    cases = {
        'x = 1': 'defines no `model`',
        "model = dict(type='EncoderDecoder')\ndefault_scope = 'mmseg'": (
            "type EncoderDecoder \\(its default_scope is 'mmseg'\\), which is no depth estimator"
        ),
        "model = dict(type='ResNetEncoder', depth=18)": 'which is no depth estimator',
        "model = dict(type='mmdet.FasterRCNN')": 'mmdet.FasterRCNN',
        'model = dict(': 'cannot be read',
        "_base_ = ['./nothing.py']": 'nothing.py',
    }
    for number, (text, message) in enumerate(cases.items()):
        path = tmp_path / f'other{number}.py'
        path.write_text(text)
        with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
            init_model(str(path), 'random')
        assert '\n' not in str(caught.value)


def test_a_real_config_of_mmseg():
    pytest.importorskip('mmseg')
    with pytest.raises(ValueError, match='which is no depth estimator of mmscd'):
        init_model('mmseg::pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py', 'random')


@pytest.fixture(scope='module')
def state(tiny_weights):
    return torch.load(tiny_weights)['state_dict']


def refuse(config, tmp_path, content, text, kind=ValueError):
    path = tmp_path / 'weights.pth'
    torch.save(content, path)
    with pytest.raises(kind, match=text) as caught:
        init_model(str(config), path, 'cpu')
    message = str(caught.value)
    assert str(path) in message and '\n' not in message and len(message) < 700


def test_wrong_checkpoints(tiny_config, tmp_path, state):
    refuse(tiny_config, tmp_path, dict(a=1, b='x'), r'hold no parameters.*keys a, b')
    refuse(tiny_config, tmp_path, [1, 2], 'hold no parameters of a network \\(a list\\)')
    refuse(tiny_config, tmp_path, RESNET, 'those of a bare backbone')
    monodepth2 = {f'encoder.{k}': v for k, v in RESNET.items()}
    hint = r'those of Monodepth2.*tools/model_converters/to_mmscd\.py'
    refuse(tiny_config, tmp_path, monodepth2, hint)
    mmseg = {'backbone.stem.0.weight': torch.ones(1), 'decode_head.conv.weight': torch.ones(1)}
    refuse(tiny_config, tmp_path, dict(state_dict=mmseg), 'segmentation network of mmseg')
    shapes = dict(state)
    key = 'backbone.layer1.0.conv1.weight'
    key = key if key in shapes else next(k for k in shapes if k.startswith('backbone'))
    shapes[key] = torch.ones(2, 3)
    refuse(tiny_config, tmp_path, shapes, rf'1 have another shape \({key}: \(2, 3\) in the file')
    part = {k: v for k, v in state.items() if not k.startswith('disp_head')}
    refuse(tiny_config, tmp_path, part, r'parameters are missing \(disp_head.*another disp_head')
    broken = dict(state)
    broken[key] = torch.full_like(state[key], float('nan'))
    refuse(tiny_config, tmp_path, broken, rf'not finite in 1 of \d+ tensors \({key}\).*collapsed')
    # running statistics, infinity, and values whose sum alone is too large for float32
    key = next(k for k in state if k.endswith('running_var'))
    for value in (float('inf'), -float('inf')):
        broken = dict(state)
        broken[key] = torch.full_like(state[key], value)
        refuse(tiny_config, tmp_path, broken, rf'not finite in 1 of \d+ tensors \({key}\)')


def test_weights_that_are_no_file_of_torch(tiny_config, tmp_path):
    path = tmp_path / 'weights.pth'
    path.write_bytes(b'PK\x03\x04 not a checkpoint')
    with pytest.raises(RuntimeError, match=f'checkpoint {path} is truncated or damaged'):
        init_model(str(tiny_config), path)
    with pytest.raises(FileNotFoundError, match='nowhere.pth does not exist'):
        init_model(str(tiny_config), tmp_path / 'nowhere.pth')
    with pytest.raises(ValueError, match=r'no weights for .*weights=PATH'):
        init_model(str(tiny_config))


class Evil:
    def __reduce__(self):
        return (print, ('code of a checkpoint ran',))


def test_code_in_a_checkpoint_does_not_run(tiny_config, tmp_path, capsys):
    path = tmp_path / 'weights.pth'
    torch.save(dict(state_dict=Evil()), path)
    with pytest.raises(RuntimeError, match='more than tensors'):
        init_model(str(tiny_config), path)
    assert 'ran' not in capsys.readouterr().out


def test_other_forms_of_the_same_weights(tiny_config, tmp_path, state):
    """A bare state dict, a data-parallel one, a published one without pose net."""
    expected = init_weights(tiny_config, tmp_path, dict(state_dict=state))
    slim = {k: v for k, v in state.items() if not k.startswith('pose_net')}
    graph = {'distiller.graph.W_q': torch.ones(2)}
    for form in (state, {f'module.{k}': v for k, v in state.items()}, slim, {**state, **graph}):
        loaded = init_weights(tiny_config, tmp_path, form)
        assert all(torch.equal(loaded[key], expected[key]) for key in expected)


def test_weights_keep_their_normalisation(tiny_config, tmp_path, state):
    per_image = tmp_path / 'per_image.py'
    per_image.write_text(
        f"_base_ = ['{tiny_config}']\nmodel = dict(data_preprocessor=dict(per_image=True))\n"
    )
    said = dict(state, **{'data_preprocessor.normalise.per_image': torch.tensor(True)})
    assert init_weights(per_image, tmp_path, said)['data_preprocessor.normalise.per_image']
    init_weights(per_image, tmp_path, state)
    refuse(tiny_config, tmp_path, said, 'set model.data_preprocessor.per_image=True')


def init_weights(config, folder, content):
    torch.save(content, folder / 'weights.pth')
    return init_model(str(config), folder / 'weights.pth', 'cpu').state_dict()


def test_training_configs_need_no_teacher(tiny_scd_config, tiny_weights):
    model = init_model(str(tiny_scd_config), tiny_weights, 'cpu')
    assert model.distiller is None and len(model.losses) == 0


def test_device_and_options(tiny_config, tiny_weights):
    for device in ('cuda:93', 'toaster'):
        with pytest.raises(ValueError, match=f"device '{device}' cannot be used"):
            init_model(str(tiny_config), tiny_weights, device)
    with pytest.raises(ValueError, match='batch_size must be at least 1'):
        DepthInferencer(str(tiny_config), tiny_weights, batch_size=0)


def test_a_config_without_size(tiny_config, tiny_weights):
    cfg = load_config(str(tiny_config))
    for key in ('test_dataloader', 'val_dataloader', 'train_dataloader'):
        cfg.pop(key)
    cfg.pop('test_pipeline', None)
    with pytest.raises(ValueError, match=r'which size of image.*ResizeFrames'):
        DepthInferencer(cfg, tiny_weights)


def test_misfit_counts():
    a, b = torch.ones(2), torch.ones(3)
    assert explain_misfit(dict(x=a), dict(x=a)) is None
    text = explain_misfit(dict(x=a, y=a), dict(x=b, z=a))
    assert text.startswith(
        '1 of 2 parameters are missing (y), 1 have another shape (x: (3,) in the file, (2,) in the '
        'model), 1 are unknown to the model (z); '
    )


def test_unconverted_files_name_their_converter(tiny_config, tmp_path):
    lite = dict.fromkeys(('downsample_layers.0.0.conv.weight', 'stem2.0.conv.weight',
                          'stages.0.0.gamma'), torch.ones(1))  # fmt: skip
    refuse(tiny_config, tmp_path, lite, r'those of .* or Lite-Mono.*to_mmscd\.py FOLDER')
    decoder = {'decoder.0.conv.conv.weight': torch.ones(1)}
    refuse(tiny_config, tmp_path, decoder, 'those of Monodepth2.*to_mmscd')
    folder = tmp_path / 'mono_640x192'
    folder.mkdir()
    with pytest.raises(ValueError, match=f'{folder} is a folder: give a checkpoint'):
        init_model(str(tiny_config), folder)
    torch.save({f'encoder.{k}': v for k, v in RESNET.items()}, folder / 'encoder.pth')
    with pytest.raises(ValueError, match='folder with files of Monodepth2.*to_mmscd.py'):
        init_model(str(tiny_config), folder)


def test_depth_scale_of_a_checkpoint(tiny_config, tmp_path, state, street):
    plain, scaled = tmp_path / 'plain.pth', tmp_path / 'scaled.pth'
    torch.save(dict(state_dict=state, meta=dict(depth_scale=None)), plain)
    torch.save(dict(state_dict=state, meta=dict(depth_scale=5.4)), scaled)

    def run(weights, **options):
        inferencer = DepthInferencer(
            str(tiny_config), weights, 'cpu', show_progress=False, **options
        )
        return inferencer(street[0])['predictions'][0]

    expected, found = run(plain), run(scaled)
    assert (expected['scale'], expected['metric']) == (1.0, False)
    assert (found['scale'], found['metric']) == (5.4, True)
    assert found['pred_depth'] == pytest.approx(5.4 * expected['pred_depth'], rel=1e-6)
    assert (found['pred_disp'] == expected['pred_disp']).all()
    own = run(scaled, scale=2)
    assert own['pred_depth'] == pytest.approx(2 * expected['pred_depth'], rel=1e-6)
    maps = [
        mmscd.inference_depth(init_model(str(tiny_config), w), street[0]) for w in (plain, scaled)
    ]
    assert maps[1] == pytest.approx(5.4 * maps[0], rel=1e-6)
    for bad in (0, -1.0, 'x', float('nan'), True):
        torch.save(dict(state_dict=state, meta=dict(depth_scale=bad)), scaled)
        with pytest.raises(ValueError, match='depth_scale.*positive number'):
            init_model(str(tiny_config), scaled)

"""Exported files: same numbers as the model, nothing of the training inside."""

import io

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmscd.deployment import (
    DepthGraph,
    ExportOptions,
    check_parity,
    export,
    load_network,
    network_size,
    read_frames,
    run_exported,
)
from mmscd.registry import MODELS
from mmscd.utils.config import load_config

CONFIG = 'configs/monodepth2/monodepth2_r18_kitti-mini.py'
SIZE = (96, 64)


def randomise(model):
    """Statistics as after training, and a disparity that varies."""
    g = torch.Generator().manual_seed(0)
    for m in model.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.running_var.copy_(torch.rand(m.running_var.shape, generator=g) + 0.5)
            m.running_mean.copy_(torch.randn(m.running_mean.shape, generator=g) * 0.1)
    with torch.no_grad():
        model.disp_head.predict['0'].weight.mul_(20)
    return model


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    return randomise(load_network(CONFIG)[1])


@pytest.fixture(scope='module')
def scd_checkpoint(tmp_path_factory):
    """Weights of a whole SCD training, pose net and graph included, and the model they are of."""
    cfg = load_config('configs/scd/scd_r18_kitti.py')
    for part in (cfg.model.backbone, cfg.model.pose_net.encoder):
        part.init_cfg = None
    model = randomise(MODELS.build(cfg.model))
    path = tmp_path_factory.mktemp('scd') / 'iter_1.pth'
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return path


def run(kind, model, half=False, fed=1, **options):
    options = ExportOptions(size=SIZE, **options)
    data = export(DepthGraph(model, half), kind, options, dict(framework='mmscd', width='96'))
    return data, check_parity(model, run_exported(kind, data), read_frames(None, SIZE), fed)


def test_graph_equals_the_formula(model):
    graph, image = DepthGraph(model), torch.rand(2, 3, 64, 96)
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)
    with torch.no_grad():
        disp = model.disp_head(model.backbone((image - mean) / std))[0]
        inverse = graph(image)
    assert torch.allclose(inverse, 1 / 100 + (1 / 0.1 - 1 / 100) * disp)
    assert torch.allclose(graph.to_disp(inverse), disp, atol=1e-6)
    assert disp.std() > 0.05
    assert not graph.training and not any(p.requires_grad for p in graph.parameters())


def test_random_frames_and_folders(tmp_path):
    frames = read_frames(None, SIZE)
    assert len(frames) == 4 and all(image.shape == (64, 96, 3) for _, image in frames)
    with pytest.raises(FileNotFoundError, match='holds no image'):
        read_frames([tmp_path], SIZE)
    for number, folder in enumerate(('drive_b/image_02', 'drive_a')):
        (tmp_path / folder).mkdir(parents=True)
        picture = np.full((64, 96, 3), 50 * number, np.uint8)
        cv2.imwrite(str(tmp_path / folder / f'{number}.png'), picture)
    found = read_frames([tmp_path], SIZE)
    assert [name for name, _ in found] == ['1.png', '0.png']
    assert [image.max() for _, image in found] == [50, 0]
    (tmp_path / 'a.png').write_text('no picture')
    with pytest.raises(OSError, match='a.png'):
        read_frames([tmp_path], SIZE)


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(dynamic_batch=True, dynamic_size=True, simplify=True),
        dict(opset=13, dynamic_batch=True, dynamic_size=True),
        dict(opset=20, batch=2),
    ],
    ids=['plain', 'open', 'old', 'batch'],
)
def test_onnx_equals_the_model(model, options):
    onnx = pytest.importorskip('onnx')
    pytest.importorskip('onnxslim')
    data, parity = run('onnx', model, fed=options.get('batch', 1), **options)
    assert parity.images == 4 and 0 < parity.largest < 1e-4
    content = onnx.load_from_string(data)
    (version,) = [entry.version for entry in content.opset_import if entry.domain == '']
    assert version == options.get('opset', 18)
    assert {p.key: p.value for p in content.metadata_props} == dict(framework='mmscd', width='96')
    if options.get('dynamic_size'):
        other = read_frames(None, (64, 128))
        parity = check_parity(model, run_exported('onnx', data), other, batch=3)
        assert parity.largest < 1e-4


def test_onnx_normalises_every_image_by_itself():
    pytest.importorskip('onnx')
    options = {'model.data_preprocessor.per_image': True}
    model = randomise(load_network('configs/scd/scd_r18_kitti.py', cfg_options=options)[1])
    assert model.data_preprocessor.normalise.per_image
    data, parity = run('onnx', model, dynamic_batch=True)
    assert parity.images == 4 and 0 < parity.largest < 1e-4
    session, images = run_exported('onnx', data), read_frames(None, SIZE)
    image = torch.from_numpy(images[0][1]).permute(2, 0, 1)[None].float() / 255
    one, darker = session(image), session(0.2 * image)
    assert (darker - one).abs().max() < 1e-4 * one.abs().max()


def test_onnx_holds_nothing_of_the_training(scd_checkpoint):
    onnx = pytest.importorskip('onnx')
    config = 'configs/scd/scd_r18_kitti.py'
    whole = torch.load(scd_checkpoint, weights_only=True)['state_dict']
    assert any(k.startswith('distiller.') for k in whole)
    assert any(k.startswith('pose_net.') for k in whole)
    _, model = load_network(config, str(scd_checkpoint))
    data, parity = run('onnx', model)
    assert parity.largest < 1e-4
    graph = onnx.load_from_string(data).graph
    names = [tensor.name for tensor in graph.initializer]
    for word in ('pose', 'distill', 'teacher', 'graph.', 'student'):
        assert not [n for n in names if word in n.lower()], word
    # the decoder's coarser outputs are not computed either
    unused = tuple(f'disp_head.predict.{scale}.' for scale in (1, 2, 3))
    parts = {k: v.numel() for k, v in whole.items() if k.startswith(('backbone.', 'disp_head.'))}
    used = sum(n for k, n in parts.items() if 'num_batches' not in k and not k.startswith(unused))
    floats = [t for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT]
    count = sum(int(np.prod(t.dims)) for t in floats)
    # folding of normalisation into convolutions drops some, constants of the formula add a few
    assert 0.99 * used < count < used + 100
    assert graph.input[0].name == 'image' and [o.name for o in graph.output] == ['inv_depth']
    assert len(graph.input) == len(graph.output) == 1


def test_no_trace_of_the_machine(model):
    pytest.importorskip('onnx')
    data, _ = run('onnx', model)
    assert b'site-packages' not in data and b'.py"' not in data


def test_half_precision(model):
    onnx = pytest.importorskip('onnx')
    full, exact = run('onnx', model)
    half, parity = run('onnx', model, half=True)
    assert exact.largest < 1e-4 < parity.largest < 2e-2
    assert len(half) < 0.55 * len(full)
    graph = onnx.load_from_string(half).graph
    for value in (graph.input[0], graph.output[0]):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert model.backbone.conv1.weight.dtype == torch.float32, 'the model itself stays as it is'


def test_torch_export_and_torchscript(model):
    for kind in ('torch-export', 'torchscript'):
        data, parity = run(kind, model, dynamic_batch=True, dynamic_size=True)
        assert parity.largest < 1e-5
        other = read_frames(None, (64, 128))
        assert check_parity(model, run_exported(kind, data), other, batch=3).largest < 1e-5
    loaded = torch.export.load(io.BytesIO(run('torch-export', model)[0]))
    names = list(loaded.state_dict)
    assert names and all(n.startswith(('backbone.', 'disp_head.')) for n in names)


def test_parity_sees_a_wrong_function(model):
    graph, frames = DepthGraph(model), read_frames(None, SIZE)

    def off(images):
        out = graph(images).clone()
        out[-1, 0, 3, 4] *= 1.001
        return out

    parity = check_parity(model, off, frames[:3])
    assert parity.inv_depth == pytest.approx(1e-3, rel=0.01) and parity.disp > parity.inv_depth
    assert check_parity(model, lambda x: graph(x) * float('nan'), frames[:1]).largest == np.inf
    with pytest.raises(ValueError, match='the file puts out'):
        check_parity(model, lambda x: graph(x)[..., 1:], frames[:1])


def test_impossible_options_are_refused_before_any_work(model):
    graph = DepthGraph(model)
    for options, words in (
        (dict(size=(100, 64)), 'multiples of 32, got 100x64'),
        (dict(size=SIZE, batch=0), 'at least one image, got 0'),
        (dict(size=SIZE, opset=9), r'13\.\.23, got 9'),
    ):
        with pytest.raises(ValueError, match=words):
            export(graph, 'onnx', ExportOptions(**options), {})
    with pytest.raises(ValueError, match="got 'tflite'"):
        export(graph, 'tflite', ExportOptions(SIZE), {})


def test_wrong_checkpoints_and_configs_are_named(tmp_path, model):
    path = tmp_path / 'other.pth'
    torch.save(dict(state_dict={'head.weight': torch.zeros(2)}), path)
    with pytest.raises(ValueError, match=r'other.pth do not fit .* 148 of 148 .* missing'):
        load_network(CONFIG, str(path))
    state = model.state_dict()
    state['backbone.conv1.weight'] = torch.zeros(64, 6, 7, 7)
    torch.save(dict(state_dict=state), path)
    with pytest.raises(ValueError, match=r'1 have another shape .backbone.conv1.weight'):
        load_network(CONFIG, str(path))
    with pytest.raises(ValueError, match='defines no `model`'):
        load_network('configs/teachers/segformer_b0_cityscapes.py')
    with pytest.raises(ValueError, match='give it: --size'):
        network_size(Config(dict(model={})))


BACKBONES = ['scd/scd_mit-b0_kitti', 'scd/scd_mobilenetv2_kitti', 'lite_mono/lite-mono_kitti']


@pytest.mark.slow
@pytest.mark.parametrize('config', BACKBONES)
def test_other_backbones(config):
    pytest.importorskip('onnx')
    torch.manual_seed(0)
    model = randomise(load_network(f'configs/{config}.py')[1])
    data, parity = run('onnx', model, fed=2, dynamic_batch=True)
    assert parity.largest < 1e-4
    assert run('torchscript', model)[1].largest < 1e-4

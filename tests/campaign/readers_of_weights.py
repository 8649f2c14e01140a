"""Everything that takes a file of weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import init_default_scope
from readers import add, call
from tiny import make_config, make_kitti, picture, write_image

from mmscd import DepthInferencer
from mmscd.models.teachers import MMSegTeacher
from mmscd.registry import MODELS
from mmscd.utils.config import load_config

SEGMENTOR = 'mmseg::fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py'
# so many iterations has the checkpoint, and none is left to do
TRAINED = ('--cfg-options', 'train_cfg.max_iters=4', 'train_cfg.val_interval=4')


def slim(state: dict[str, Any]) -> dict[str, Any]:
    """The same shapes out of one stored number each: a file of kilobytes."""
    return {
        key: torch.full((1,), 0.01).to(value.dtype).expand(value.shape) if value.ndim else value
        for key, value in state.items()
    }


def save_weights(config: Path, path: Path) -> None:
    """Random weights of a config's model."""
    init_default_scope('mmscd')
    torch.manual_seed(0)
    model = MODELS.build(load_config(str(config)).model)
    torch.save(dict(state_dict=model.state_dict(), meta=dict(iter=1)), path)


def train(folder: Path, *options: Any) -> Any:
    """train.py into `work`."""
    words = (folder / 'tiny.py', '--work-dir', folder / 'work')
    return call('tools/train.py', *words, *options)


def trained(folder: Path) -> None:
    """Two checkpoints of a training, and one of them elsewhere."""
    make_config(folder, make_kitti(folder / 'kitti'))
    train(folder, *TRAINED)
    (folder / 'x.pth').write_bytes((folder / 'work/iter_4.pth').read_bytes())
    state = torch.load(folder / 'x.pth', weights_only=True)['state_dict']
    own = {key[9:]: value for key, value in state.items() if key.startswith('backbone.')}
    torch.save(own, folder / 'encoder.pth')
    write_image(folder / 'x.png', picture())


def predict(folder: Path) -> Any:
    """As the demos do."""
    model = DepthInferencer(str(folder / 'tiny.py'), str(folder / 'x.pth'), 'cpu')
    return model(str(folder / 'x.png'))['predictions'][0]['pred_depth']


def evaluate(folder: Path) -> Any:
    """test.py."""
    words = (folder / 'tiny.py', folder / 'x.pth', '--work-dir', folder / 'test')
    return call('tools/test.py', *words)


def publish(folder: Path) -> Any:
    """publish_model.py."""
    return call('tools/misc/publish_model.py', folder / 'x.pth', folder / 'out/p.pth')


def resume(folder: Path) -> Any:
    """train.py --resume FILE, with nothing left to do."""
    return train(folder, '--resume', folder / 'x.pth', *TRAINED)


def resume_newest(folder: Path) -> Any:
    """train.py --resume auto."""
    return train(folder, '--resume', 'auto', *TRAINED)


def start_from(folder: Path) -> Any:
    """load_from of a config."""
    return train(folder, '--cfg-options', f'load_from={folder}/x.pth', 'train_cfg.max_iters=1')


def initial(folder: Path) -> Any:
    """init_cfg of a backbone."""
    option = f'model.backbone.init_cfg.checkpoint={folder / "encoder.pth"}'
    kind = 'model.backbone.init_cfg.type=Pretrained'
    return train(folder, '--cfg-options', kind, option, 'train_cfg.max_iters=1')


add('weights to predict', 'checkpoint', trained, predict, 'x.pth')
add('weights to test', 'checkpoint', trained, evaluate, 'x.pth', sparse=2)
add('weights to publish', 'checkpoint', trained, publish, 'x.pth')
add('checkpoint to resume', 'checkpoint', trained, resume, 'x.pth', sparse=2)
add('newest checkpoint', 'checkpoint', trained, resume_newest, 'work/iter_4.pth', sparse=2)
add('load_from', 'checkpoint', trained, start_from, 'x.pth', sparse=2)
add('init_cfg', 'checkpoint', trained, initial, 'encoder.pth', sparse=3)


def teacher(folder: Path) -> None:
    """Weights of a segmentor."""
    made = MMSegTeacher(SEGMENTOR, None, needs_logits=True, allow_random=True)
    state = slim(made.network.state_dict())
    meta = dict(dataset_meta=dict(classes=('road', 'sky'), palette=[[0, 0, 0], [1, 1, 1]]))
    torch.save(dict(state_dict=state, meta=meta), folder / 'x.pth')


def read_teacher(folder: Path) -> Any:
    """As a distiller builds it."""
    made = MMSegTeacher(SEGMENTOR, str(folder / 'x.pth'), needs_logits=True)
    return made.classes, [p for p in made.network.parameters()]


add('weights of a teacher', 'checkpoint', teacher, read_teacher, 'x.pth', sparse=2)


def resnet(folder: Path) -> None:
    """ImageNet weights, in two formats."""
    from safetensors.torch import save_file

    state = MODELS.build(dict(type='mmscd.ResNetEncoder')).state_dict()
    torch.save(slim(state), folder / 'x.pth')
    save_file({key: value.half() for key, value in state.items()}, folder / 'x.safetensors')


def convert(name: str) -> Callable[[Path], Any]:
    """to_mmscd.py."""

    def read(folder: Path) -> Any:
        return call('tools/model_converters/to_mmscd.py', folder / name, folder / 'out.pth')

    return read


add('weights to convert', 'checkpoint', resnet, convert('x.pth'), 'x.pth', sparse=2)
add('safetensors', 'bytes', resnet, convert('x.safetensors'), 'x.safetensors', sparse=4)


def exported(folder: Path) -> None:
    """A model for onnxruntime."""
    trained(folder)
    words = (folder / 'tiny.py', folder / 'x.pth', folder / 'm.onnx')
    call('tools/deployment/export_onnx.py', *words)


def onnx_demo(folder: Path) -> Any:
    """onnx_demo.py."""
    words = (folder / 'm.onnx', folder / 'x.png', '--out', folder / 'out')
    return call('tools/deployment/onnx_demo.py', *words)


add('ONNX model', 'bytes', exported, onnx_demo, 'm.onnx', sparse=2)
add('image for ONNX', 'image', exported, onnx_demo, 'x.png', sparse=2)

"""What is handed out: no teacher, no graph, no optimizer, and the cost of the plain baseline."""

import hashlib
import math
import re

import pytest
import torch
from mmengine.config import Config
from mmengine.model import ExponentialMovingAverage
from torch.utils.flop_counter import FlopCounterMode

from mmscd.registry import MODELS
from mmscd.structures import DepthDataSample
from mmscd.utils.compat import load_checkpoint_file
from mmscd.utils.config import load_config
from tools.misc import publish_model

WIDTH, HEIGHT = 128, 64
DISTILLER = dict(
    type='IsomorphicGraphDistiller',
    student_taps=[dict(module='backbone', index=3, channels=256, stride=16)],
    teacher=dict(
        type='MMSegTeacher', config='/nowhere/teacher.py', checkpoint='/nowhere/teacher.pth',
        taps=[dict(module='neck', index=2, channels=128, stride=16)],
    ),
    losses=dict(edge=dict(type='EdgeKLLoss'), anchor=dict(type='AnchorLoss')),
)  # fmt: skip


def config(distiller=True):
    cfg = load_config('configs/monodepth2/monodepth2_r18_kitti.py')
    cfg.model.backbone.init_cfg = cfg.model.pose_net.encoder.init_cfg = None
    if distiller:
        cfg.model.distiller = DISTILLER
        cfg.teacher = DISTILLER['teacher']
        cfg.default_hooks.distill = dict(type='IsomorphicGraphDistillHook')
        cfg.optim_wrapper.paramwise_cfg = dict(custom_keys=dict(distiller=dict(lr_mult=10.0)))
        cfg.custom_hooks = [dict(type='EMAHook')]
    cfg.work_dir = '/nowhere/work'
    return cfg


@pytest.fixture(scope='module')
def training(tmp_path_factory):
    """A training checkpoint as a Runner with EMAHook leaves it, its model, and its averages."""
    torch.manual_seed(0)
    cfg = config()
    model = MODELS.build(cfg.model)
    average = ExponentialMovingAverage(model, momentum=0.5)
    for _ in range(2):
        with torch.no_grad():
            for p in model.parameters():
                p.add_(0.01 * torch.randn_like(p))
        average.update_parameters(model)
    optimizer = torch.optim.Adam(model.parameters())
    sum(p.sum() for p in model.parameters()).backward()
    optimizer.step()
    state, averaged = dict(model.state_dict()), dict(average.state_dict())
    for key in state:  # what EMAHook.before_save_checkpoint does
        state[key], averaged[f'module.{key}'] = averaged[f'module.{key}'], state[key]
    checkpoint = dict(
        meta=dict(cfg=cfg.pretty_text, iter=7, epoch=0, seed=3, experiment_name='scd'),
        state_dict=state, ema_state_dict=averaged, optimizer=optimizer.state_dict(),
        param_schedulers=[dict(last_step=7)], message_hub=dict(log_scalars={}),
    )  # fmt: skip
    path = tmp_path_factory.mktemp('training') / 'iter_7.pth'
    torch.save(checkpoint, path)
    return path, average.module


def publish(training, tmp_path, capsys, *options):
    publish_model.main([str(training[0]), str(tmp_path / 'out' / 'scd_r18.pth'), *options])
    (path,) = (tmp_path / 'out').iterdir()
    return path, load_checkpoint_file(path), capsys.readouterr().out


def predict(model, seed=0):
    g = torch.Generator().manual_seed(seed)
    image = torch.randn(1, 1, 3, HEIGHT, WIDTH, generator=g)
    sample = DepthDataSample(metainfo=dict(ori_shape=(70, 130)))
    return model.eval()(dict(network_input=image), [sample], mode='predict')[0].pred_depth.data


def cost(model):
    with FlopCounterMode(display=False) as counter:
        predict(model)
    return counter.get_total_flops()


def test_only_what_inference_needs_is_left(training, tmp_path, capsys):
    path, published, printed = publish(training, tmp_path, capsys)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert re.fullmatch(r'scd_r18-[0-9a-f]{8}\.pth', path.name) and digest[:8] in path.name
    assert set(published) == {'meta', 'state_dict'}
    assert not [k for k in published['state_dict'] if k.startswith(('distiller', 'module'))]
    assert published['meta']['iter'] == 7 and published['meta']['seed'] == 3
    text = published['meta']['cfg']
    assert not [w for w in ('istill', 'eacher', '/nowhere', 'EMAHook', 'Pretrained') if w in text]
    for name in ('distiller.*', 'optimizer', 'ema_state_dict', 'message_hub', 'param_schedulers'):
        assert re.search(rf'removed {re.escape(name)} +[\d.]+ MiB', printed), printed
    assert 'kept the averaged (EMA) weights' in printed
    assert path.stat().st_size < 0.3 * training[0].stat().st_size


def test_it_costs_what_the_baseline_costs_and_predicts_what_was_trained(training, tmp_path, capsys):
    _, published, _ = publish(training, tmp_path, capsys)
    cfg = Config.fromstring(published['meta']['cfg'], '.py')
    model, baseline = MODELS.build(cfg.model), MODELS.build(config(False).model)
    model.load_state_dict(published['state_dict'], strict=True)
    assert model.state_dict().keys() == baseline.state_dict().keys()
    numbers = [sum(p.numel() for p in m.parameters()) for m in (model, baseline)]
    flops = cost(model), cost(baseline)
    assert numbers[0] == numbers[1] and flops[0] == flops[1] > 1e8
    assert sum(v.numel() for v in published['state_dict'].values()) == sum(
        v.numel() for v in baseline.state_dict().values()
    )
    average = training[1]
    assert cost(average) == flops[0], 'the graph must not run in inference'
    assert torch.equal(predict(model), predict(average))


def test_without_the_pose_net(training, tmp_path, capsys):
    _, published, printed = publish(training, tmp_path, capsys, '--no-pose')
    assert 'pose_net.*' in printed
    cfg = Config.fromstring(published['meta']['cfg'], '.py')
    model = MODELS.build(cfg.model)
    model.load_state_dict(published['state_dict'], strict=True)
    assert model.pose_net is None
    assert torch.equal(predict(model), predict(training[1]))


def test_mistakes_are_named(training, tmp_path):
    with pytest.raises(SystemExit, match='OUT must end in .pth, got model.ckpt'):
        publish_model.main([str(training[0]), 'model.ckpt'])


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (None, 'hold no parameters of a network .a NoneType'),
        (dict(weights={}), 'hold no parameters of a network .a dict with the keys weights'),
        (dict(meta={}, state_dict={1: torch.ones(2)}), 'hold no parameters'),
        (dict(meta={}, state_dict=dict(a='text')), 'hold no parameters'),
        (dict(meta={}, state_dict=dict(a=torch.zeros(1).expand(10**12))), 'larger than the file'),
        (dict(meta={}, state_dict=dict(a=torch.full((1,), torch.nan))), 'not finite'),
        (dict(meta=None, state_dict=dict(a=torch.ones(2))), 'lacks state_dict or meta'),
        (dict(meta=[1], state_dict=dict(a=torch.ones(2))), 'lacks state_dict or meta'),
        (dict(meta=dict(cfg=math.nan), state_dict=dict(a=torch.ones(2))), 'the config in'),
        (dict(meta=dict(cfg='a = 1'), state_dict=dict(a=torch.ones(2))), 'has no model'),
        (dict(meta={}, state_dict={'distiller.a': torch.ones(2)}), 'nothing is left of'),
    ],
)
def test_what_is_no_checkpoint_of_a_training_is_not_published(tmp_path, content, words):
    torch.save(content, tmp_path / 'other.pth')
    with pytest.raises(SystemExit, match=f'^error: .*{words}') as told:
        publish_model.main([str(tmp_path / 'other.pth'), str(tmp_path / 'out.pth')])
    assert 'other.pth' in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ['other.pth']

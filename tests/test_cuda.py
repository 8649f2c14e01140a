"""What only a GPU can show: the CPU's numbers, mixed precision, nccl, automatic precision."""

import pytest
import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope

from mmscd.engine import launch
from mmscd.engine.benchmark_loss import loss_sides, recorded
from mmscd.engine.optimizers import keep_form
from mmscd.engine.prefetcher import Prefetcher
from mmscd.engine.step_graph import WARM_UP, StepGraph
from mmscd.models.precision import TOLERANCE, compare_forms, fast_forms
from mmscd.ops.kernels import has_triton
from mmscd.registry import MODELS, TEACHERS
from mmscd.utils.config import load_config
from mmscd.utils.keyed_random import make_key

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')


def load(path):
    return torch.load(path, map_location='cpu', weights_only=True)


def losses(checkpoint, name='loss'):
    return checkpoint['message_hub']['log_scalars'][f'train/{name}']['log_history']


@pytest.fixture(scope='module')
def scd(tiny_scd_config):
    """A step of the full method, and its inputs."""
    cfg = load_config(str(tiny_scd_config))
    init_default_scope('mmscd')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).train()
    model.distiller.attach_teacher(TEACHERS.build(model.distiller.teacher_cfg))
    frames = torch.randint(0, 256, (2, 3, 3, 8, 16), dtype=torch.uint8).float()
    frames = torch.nn.functional.interpolate(frames.flatten(0, 1), (64, 128), mode='bicubic')
    frames = frames.clamp(0, 255).to(torch.uint8).reshape(2, 3, 3, 64, 128)
    K = torch.tensor([[72.0, 0, 63.5], [0, 72, 31.5], [0, 0, 1]]).repeat(2, 1, 1)
    keys = torch.tensor([make_key(0, 0), make_key(0, 1)])
    return model, dict(inputs=dict(frames=frames, K=K, draw_key=keys))


def step(model, data, device):
    model.to(device)
    model.distiller.teacher.to(device)
    model.zero_grad()
    data = model.data_preprocessor(data, True)
    outputs = {k: v for k, v in model(**data, mode='loss').items() if 'loss' in k}
    sum(outputs.values()).backward()
    gradients = {n: p.grad.cpu().clone() for n, p in model.named_parameters()}
    return {k: v.item() for k, v in outputs.items()}, gradients


def test_losses_and_gradients_are_those_of_the_cpu(scd, monkeypatch):
    """All parts of SCD, random draws included; float64, so that only real differences show."""
    model, data = scd
    model.double()
    model.distiller.teacher.double()
    data = dict(inputs=dict(data['inputs'], K=data['inputs']['K'].double()))
    state = {k: v.clone() for k, v in model.state_dict().items()}
    expected, gradients = step(model, data, 'cpu')
    model.load_state_dict(state)
    found, others = step(model, data, 'cuda')
    assert len(expected) == 7 and all(v > 0 for v in expected.values())
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-6), name
    for name, gradient in gradients.items():
        assert (others[name] - gradient).norm() <= 1e-4 * gradient.norm() + 1e-12, name


def test_mixed_precision_trains_and_resumes(tiny_scd_config, run_tool, tmp_path):
    command = ('tools/train.py', tiny_scd_config, '--work-dir', tmp_path, '--amp')
    run_tool(*command)
    whole = load(tmp_path / 'iter_4.pth')
    assert 'loss_scaler' in whole['optimizer']
    assert torch.tensor(losses(whole)).isfinite().all()
    assert min(losses(whole, 'loss_distill_edge')[2:]) > 0
    (tmp_path / 'iter_4.pth').unlink()
    run_tool(*command, '--resume')
    # atomic additions on a GPU come in any order
    resumed = load(tmp_path / 'iter_4.pth')
    assert losses(resumed) == pytest.approx(losses(whole), rel=2e-2)


def test_mixed_precision_is_set_for_cuda(tiny_config):
    cfg = load_config(str(tiny_config))
    launch.set_amp(cfg)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    cfg = load_config(str(tiny_config))
    launch.set_amp(cfg, cuda_graph=True)
    assert cfg.optim_wrapper.type == 'OptimWrapper' and cfg.model.network_dtype == 'bfloat16'


def test_one_process_over_nccl(tiny_scd_config, run_tool, tmp_path):
    """DDP, SyncBN and the graph with a schedule that passes from off to on."""
    run_tool('bash', 'tools/dist_train.sh', tiny_scd_config, 1, '--work-dir', tmp_path)
    checkpoint = load(tmp_path / 'iter_4.pth')
    assert torch.tensor(losses(checkpoint)).isfinite().all()
    assert min(losses(checkpoint, 'loss_distill_edge')[2:]) > 0


@pytest.mark.parametrize('way', ['usual', 'packed', 'on_device'])
def test_batches_ahead_of_their_step_are_those_of_the_cpu(tiny_config, tmp_path, way):
    """Through pinned memory on a stream of their own, while steps are at work on others."""
    init_default_scope('mmscd')
    cfg = load_config(str(tiny_config)).train_dataloader
    more = dict(packed=dict(packed=str(tmp_path / 'packed')), on_device=dict(on_device=True))
    usual = launch.DepthRunner.build_dataloader(dict(cfg, num_workers=0), seed=3)
    feeding = dict(num_workers=1, pin_memory=True, dataset=dict(cfg.dataset, **more.get(way, {})))
    loader = launch.DepthRunner.build_dataloader(dict(cfg, **feeding), seed=3)
    first = next(iter(loader))['inputs']['frames']
    assert first.is_cuda if way == 'on_device' else first.is_pinned()
    batches, seen = Prefetcher(iter(loader), torch.device('cuda', 0)), []
    for _ in range(16):
        inputs = next(batches)['inputs']
        torch.cuda._sleep(20_000_000)  # a step that still runs when the next batches are copied
        seen.append({key: value.clone() for key, value in inputs.items()})
        del inputs
    for found, expected in zip(seen, usual, strict=False):
        for key, value in expected['inputs'].items():
            assert found[key].is_cuda and torch.equal(found[key].cpu(), value), key


def test_frames_on_the_device_train_the_same(tiny_config, run_tool, tmp_path):
    found = []
    for value in (False, True):
        options = ('--cfg-options', f'train_dataloader.dataset.on_device={value}')
        run_tool('tools/train.py', tiny_config, '--work-dir', tmp_path / str(value), *options)
        found.append(losses(load(tmp_path / str(value) / 'iter_4.pth')))
    # atomic additions on a GPU come in any order
    assert len(found[0]) == 4 and found[1] == pytest.approx(found[0], rel=2e-2)


def walk(model, data, train_step, count=100):
    """Losses of a training of which a part begins and grows, and the learning rate falls. Rates and
    strengths are numbers that float32 holds exactly, as a graph does."""
    optimizer = torch.optim.Adam(model.parameters(), lr=2.0**-13, fused=True)
    wrapper, logs = OptimWrapper(optimizer), []
    for i in range(count):
        keys = torch.tensor([make_key(0, 2 * i), make_key(0, 2 * i + 1)])
        model.distiller.set_strength(min(max(i - 8, 0), 32) / 32)
        model.loss_strengths['texture'] = float(i < 80)
        optimizer.param_groups[0]['lr'] = 2.0 ** -(13 + i // 50)
        inputs = dict(data['inputs'], draw_key=keys)
        logs.append(train_step(dict(inputs=inputs, data_samples=None), wrapper)['loss'].detach())
    return torch.stack(logs).cpu()


def test_replayed_steps_are_eager_ones(scd):
    """100 of them in float64, so that the order of atomic additions does not show."""
    model, data = scd
    model.double().to('cuda').train()
    model.distiller.teacher.double().to('cuda')
    model.distiller.diagnose = False
    data = dict(inputs=dict(data['inputs'], K=data['inputs']['K'].double()))
    state = {k: v.clone() for k, v in model.state_dict().items()}
    expected = walk(model, data, model.train_step)
    model.load_state_dict(state)
    graph = StepGraph(model)
    found = walk(model, data, graph)
    # eager: the first steps, those after the begin of one part and after the end of another
    assert graph.replays >= 100 - 3 * (WARM_UP + 1)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize('fast', [False, True], ids=['plain', 'bfloat16-triton'])
def test_a_graph_trains_and_resumes(tiny_scd_config, run_tool, tmp_path, fast):
    """By the tool: its hooks, logs and checkpoints."""
    options = ['model.cuda_graph=True', 'train_cfg.max_iters=16', 'train_cfg.val_interval=16']
    options += ['default_hooks.checkpoint.interval=8', 'default_hooks.distill.interval=13']
    options += ['model.kernels=triton'] * (fast and has_triton())
    command = ('tools/train.py', tiny_scd_config, '--work-dir', tmp_path, *['--amp'] * fast)
    command = (*command, '--cfg-options', *options)
    output = run_tool(*command)
    assert 'the step is recorded' in output.stdout + output.stderr
    whole = load(tmp_path / 'iter_16.pth')
    assert torch.tensor(losses(whole)).isfinite().all() and len(losses(whole)) == 16
    assert whole['optimizer']['param_groups'][0]['capturable']
    if fast:  # the rest is the same, and takes its time
        return
    (tmp_path / 'iter_16.pth').unlink()
    run_tool(*command, '--resume')
    # atomic additions on a GPU come in any order
    resumed = load(tmp_path / 'iter_16.pth')
    assert losses(resumed) == pytest.approx(losses(whole), rel=5e-2)
    # one trained by graphs goes on without, and on a CPU
    init_default_scope('mmscd')
    cfg = load_config(str(tiny_scd_config))
    model = MODELS.build(cfg.model)
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    keep_form(optimizer)
    optimizer.load_state_dict(resumed['optimizer'])
    assert all(state['step'].device.type == 'cpu' for state in optimizer.state.values())


def test_automatic_precision_is_close(tiny_config, tmp_path):
    from mmscd import DepthInferencer

    images = list(torch.randint(0, 256, (24, 64, 128, 3), dtype=torch.uint8).numpy())
    torch.manual_seed(0)
    model = MODELS.build(load_config(str(tiny_config)).model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'w.pth')
    depths = []
    for device, precision in (('cpu', 'float32'), ('cuda', 'float32'), ('cuda', 'auto')):
        options = dict(weights=str(tmp_path / 'w.pth'), device=device, precision=precision)
        inferencer = DepthInferencer(str(tiny_config), **options)
        depths.append(torch.as_tensor(inferencer(images)['predictions'][-1]['pred_depth']))
    assert inferencer.model.finest_disp.shape == (3, 64, 128)
    full, fast = ((depth - depths[0]).abs() / depths[0] for depth in depths[1:])
    assert full.max() < 1e-2 and fast.max() < 5e-2
    forms = fast_forms(inferencer.model)
    assert any(name.startswith('float16') for name in forms)
    image = torch.randn(2, 3, 64, 128, device='cuda')
    forms = dict(plain=inferencer.model.finest_disp.plain, **forms)
    assert len(compare_forms(forms, image, TOLERANCE)) > 1


def test_a_recorded_loss_is_the_loss():
    pytest.importorskip('triton')
    side = loss_sides((64, 32), 2, device='cuda', dtype=torch.float32)['triton']
    assert recorded(side)().item() == pytest.approx(side()[0].item(), rel=1e-6)

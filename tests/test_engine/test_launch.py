"""From config and checkpoint to a Runner: no number is printed for weights that were not loaded."""

import importlib.util
from pathlib import Path

import pytest
import torch

from mmscd.engine import launch
from mmscd.engine.prefetcher import Prefetcher
from mmscd.evaluation.metrics.depth_metric import find_protocol
from mmscd.models import loading
from mmscd.utils.config import load_config

ROOT = Path(__file__).resolve().parents[2]


def load_tool(path):
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def weights(tiny_weights, tmp_path):
    """Writes a checkpoint like `tiny_weights` with other contents."""
    state = torch.load(tiny_weights)['state_dict']

    def write(change, meta=None, **more):
        path = tmp_path / 'other.pth'
        torch.save(dict(state_dict=change(state), meta=meta or {}, **more), path)
        return path

    return write


def rename(state):
    return {f'wrong.{key}': value for key, value in state.items()}


def without(*parts):
    """Other numbers than a Runner's first ones, without some parts."""
    return lambda state: {k: v + 1 for k, v in state.items() if not k.startswith(parts)}


@pytest.fixture
def runner_of(tiny_config, tmp_path):
    """Builds a Runner of `tiny_config`, or of another config."""
    used = []

    def build(config=None, **options):
        for name in ('experiment_name', 'visualizer.name'):  # mmengine keeps both by name
            options.setdefault(name, f'{tmp_path.name}_{len(used)}')
        used.append(options)
        options['work_dir'] = str(tmp_path / 'work')
        return launch.build_runner(load_config(str(config or tiny_config), options))

    return build


def test_a_nan_in_a_pose_ends_training_with_the_way_back(runner_of):
    """Not with a segmentation fault, which it is on the CPU without the check before the warp."""
    runner = runner_of(**{'train_cfg.max_iters': 2, 'default_hooks.checkpoint.interval': 1})
    estimate = runner.model.estimate_poses

    def break_the_second(inputs):
        return estimate(inputs) * (torch.nan if runner.iter == 1 else 1)

    runner.model.estimate_poses = break_the_second
    words = r'iteration 2: depth, pose or K is not finite.*; go on from .*iter_1.pth \(--resume'
    with pytest.raises(FloatingPointError, match=words):
        runner.train()


@pytest.mark.parametrize('tool', ['tools/test.py', 'tools/analysis_tools/make_report.py'])
@pytest.mark.parametrize(
    'change, words',
    [
        (rename, r'parameters are missing \(backbone\.conv1\.weight'),
        (without('disp_head.'), r'missing \(disp_head\.'),
        (lambda s: dict(s, **{'disp_head.more': torch.ones(1)}), r'unknown .*\(disp_head\.more\)'),
        (lambda s: {k: v * float('nan') for k, v in s.items()}, 'not finite'),
    ],
    ids=['renamed', 'headless', 'surplus', 'broken'],
)
def test_weights_that_do_not_fit_give_no_numbers(
    tool, change, words, weights, tiny_config, tmp_path
):
    path, out = weights(change), tmp_path / 'out'
    arguments = ['--out', str(out / 'page.html'), '--work-dir', str(out / 'work')]
    if tool == 'tools/test.py':
        arguments += [str(tiny_config), str(path)]
    else:
        arguments += ['--config', str(tiny_config), '--checkpoint', str(path)]
    (out / 'work').mkdir(parents=True)  # of a training: the report reads its log
    with pytest.raises((SystemExit, ValueError), match=words) as caught:
        load_tool(tool).main(arguments)
    assert str(path) in str(caught.value)
    assert [file for file in out.rglob('*') if file.is_file()] == []


def test_poses_are_needed_where_they_are_judged(weights, tiny_config):
    cfg = load_config(str(tiny_config))
    path = weights(without('pose_net.'))
    assert launch.load_for_test(cfg, path).pose_net is None
    cfg.test_evaluator = [cfg.test_evaluator, dict(type='PoseMetric')]
    with pytest.raises(ValueError, match='128 of .* missing .*it has no pose net'):
        launch.load_for_test(cfg, path)
    whole = weights(dict)
    assert launch.load_for_test(cfg, whole).pose_net is not None


def test_a_test_is_made_with_the_weights_of_the_file(tiny_scd_config, tiny_weights, tmp_path):
    """And without the teacher and the hooks that drive it."""
    names = {'experiment_name': tmp_path.name, 'visualizer.name': tmp_path.name}
    cfg = load_config(str(tiny_scd_config), dict(work_dir=str(tmp_path), **names))
    network = launch.load_for_test(cfg, str(tiny_weights))
    runner = launch.build_runner(cfg, network=network)
    runner.load_or_resume()
    state = torch.load(tiny_weights)['state_dict']
    found = runner.model.state_dict()
    assert all(torch.equal(found[key], state[key]) for key in found) and len(found) == 148
    names = [type(hook).__name__ for hook in runner.hooks]
    assert not {'IsomorphicGraphDistillHook', 'ScheduleHook'} & set(names)


@pytest.mark.parametrize('loader', ['train', 'val', 'test'])
def test_no_workers_need_no_other_options(loader, runner_of):
    name = f'{loader}_dataloader'
    options = dict(num_workers=0, persistent_workers=True, prefetch_factor=2)
    runner = runner_of(**{f'{name}.{key}': value for key, value in options.items()})
    built = runner.build_dataloader(runner.cfg[name], seed=0)
    assert built.num_workers == 0 and next(iter(built))['inputs']['frames'].ndim == 5
    options['num_workers'] = 1
    kept = runner_of(**{f'{name}.{key}': value for key, value in options.items()}).cfg[name]
    assert kept.persistent_workers and kept.prefetch_factor == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason='additions on a GPU come in any order')
def test_frames_on_the_device_or_ahead_of_their_step_train_the_same(runner_of, tmp_path):
    """Weights and losses in every bit, resumed in the middle too; what is ahead is on a GPU only,
    so here it is put around the loader by hand."""
    frames = 'train_dataloader.dataset'
    few = {'train_cfg.max_iters': 3, 'train_cfg.val_interval': 9, 'val_dataloader.num_workers': 0}
    few |= {'default_hooks.checkpoint.interval': 1, 'optim_wrapper.optimizer.type': 'SGD'}
    ends, path = [], tmp_path / 'work' / 'iter_3.pth'
    for more in (
        {},
        {f'{frames}.on_device': True},
        {f'{frames}.packed': str(tmp_path / 'packed')},
        {f'{frames}.on_device': True, 'resume': True, 'load_from': str(tmp_path / 'second.pth')},
    ):
        runner = runner_of(**few, **more)
        if ends:
            loop = runner.build_train_loop(runner.cfg.train_cfg)
            loop.dataloader_iterator = Prefetcher(loop.dataloader_iterator, torch.device('cpu'))
            runner._train_loop = loop
        runner.train()
        ends.append(torch.load(path))
        if len(ends) == 1:
            path.with_name('iter_2.pth').rename(tmp_path / 'second.pth')
        path.unlink()
    assert len(ends) == 4
    for end in ends:
        assert end['meta']['iter'] == 3
        for key, value in ends[0]['state_dict'].items():
            assert torch.equal(end['state_dict'][key], value), key


class TestStartOfATraining:
    def load(self, runner, path):
        before = {key: value.clone() for key, value in runner.model.state_dict().items()}
        runner._load_from = str(path)
        runner.load_or_resume()
        after = runner.model.state_dict()
        return {key for key in after if not torch.equal(before[key], after[key])}

    def test_graph_and_pose_net_may_be_missing(
        self, runner_of, weights, tiny_scd_config, tiny_config, capsys
    ):
        runner = runner_of(tiny_scd_config)
        changed = self.load(runner, weights(without('nothing.')))
        assert {key.split('.')[0] for key in changed} == {'backbone', 'disp_head', 'pose_net'}
        printed = ''.join(capsys.readouterr())
        (line,) = [x for x in printed.splitlines() if 'Weights of' in x]
        assert 'other.pth: backbone, disp_head, pose_net; 7 stay as they were (distiller.' in line
        changed = self.load(runner_of(tiny_config), weights(without('pose_net.')))
        assert {key.split('.')[0] for key in changed} == {'backbone', 'disp_head'}

    def test_what_does_not_fit_is_refused(self, runner_of, weights):
        runner = runner_of()
        for change, words in (
            (rename, r'other\.pth do not fit .*missing \(backbone\.conv1\.weight'),
            (without('disp_head.'), r'missing \(disp_head\.'),
            (without('pose_net.encoder.layer1.'), r'missing \(pose_net\.encoder\.layer1\.'),
            (lambda s: {k: v * float('inf') for k, v in s.items()}, 'not finite'),
        ):
            with pytest.raises(ValueError, match=words):
                self.load(runner, weights(change))

    def test_the_rest_is_taken_where_it_fits(self, runner_of, weights, tiny_scd_config):
        runner = runner_of(tiny_scd_config)
        graph = {k: v for k, v in runner.model.state_dict().items() if k.startswith('distiller.')}
        key, *_ = graph
        more = {**{k: v + 1 for k, v in graph.items()}, key: torch.ones(3, 3, 3)}
        more['refiner.weight'] = torch.ones(2)
        changed = self.load(runner, weights(lambda state: {**state, **more}))
        assert changed >= set(graph) - {key} and key not in changed


def test_resume_takes_exactly_what_training_wrote(runner_of, weights):
    runner = runner_of(resume=True, load_from='x')
    meta = dict(epoch=0, iter=3)
    checkpoint = runner.load_checkpoint(str(weights(dict, meta, message_hub={})))
    assert checkpoint['meta'] == meta
    for change in (without('pose_net.'), lambda s: dict(s, **{'distiller.W': torch.ones(1)})):
        with pytest.raises(ValueError, match=r'other\.pth do not fit'):
            runner.load_checkpoint(str(weights(change)))
    half = dict(iter=3)
    odd = dict(meta=meta, message_hub={}, param_schedulers=None)
    for lacking in ({}, dict(meta=[1]), dict(meta=half, message_hub={}), dict(meta=meta), odd):
        with pytest.raises(ValueError, match=r'other\.pth holds weights without the state of a tr'):
            runner.load_checkpoint(str(weights(dict, **lacking)))


@pytest.mark.parametrize('state', [2.5, dict(state={}, param_groups={}), [1]])
def test_a_damaged_state_of_the_optimizer_is_named(runner_of, weights, state):
    more = dict(message_hub=dict(log_scalars={}, runtime_info={}, resumed_keys={}), optimizer=state)
    path = weights(dict, dict(epoch=0, iter=3), **more)
    runner = runner_of(resume=True, load_from=str(path))
    runner._train_loop = runner.build_train_loop(runner.cfg.train_cfg)
    with pytest.raises(ValueError, match=r'other\.pth holds no state that this training can go on'):
        runner.resume(str(path))


def test_pictures_are_drawn_where_a_config_has_none(tiny_config):
    cfg = load_config(str(tiny_config), {'default_hooks.visualization': None})
    launch.draw_to(cfg, 'pictures')
    assert cfg.default_hooks.visualization == dict(
        type='DepthVisualizationHook', show_dir='pictures'
    )
    cfg = load_config(str(tiny_config), {'default_hooks.visualization.max_images': 3})
    launch.draw_to(cfg, 'pictures')
    assert cfg.default_hooks.visualization.max_images == 3


def test_published_files_are_judged_as_the_training_is(tiny_scd_config, tmp_path):
    """Neither teacher and graph nor pose net are needed."""
    from mmscd.registry import MODELS
    from mmscd.robustness.contestants import RobustnessOptions, load_contestant

    publish = load_tool('tools/misc/publish_model.py')
    cfg = load_config(str(tiny_scd_config))
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    training = tmp_path / 'iter_4.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=cfg.pretty_text)), training)
    publish.main([str(training), str(tmp_path / 'whole.pth')])
    publish.main([str(training), str(tmp_path / 'slim.pth'), '--no-pose'])
    for path in sorted(tmp_path.glob('*-*.pth')):
        options = RobustnessOptions(corruptions=['fog'], severities=[3])
        found = load_contestant('m', str(tiny_scd_config), str(path), options, tmp_path).model
        expected = model.state_dict()
        assert all(torch.equal(v, expected[k]) for k, v in found.state_dict().items())
        assert launch.load_for_test(load_config(str(tiny_scd_config)), path) is not None
    assert len(list(tmp_path.glob('*-*.pth'))) == 2


def test_addresses_that_would_be_unpickled_are_refused(tiny_config):
    with pytest.raises(ValueError, match='neither a path nor an address'):
        loading.load_model(str(tiny_config), 'torchvision://resnet18', device='cpu')


def test_a_config_that_tests_nothing_says_so(tiny_config, tiny_weights, tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = ['{tiny_config}']\ntest_dataloader = test_evaluator = None\n")
    cfg = load_config(str(path))
    with pytest.raises(ValueError, match='mine.py has no test_dataloader and test_evaluator'):
        launch.load_for_test(cfg, str(tiny_weights))
    with pytest.raises(ValueError, match='mine.py has no DepthMetric in test_evaluator'):
        find_protocol(cfg)

"""Automatic precision: the fastest form of a network that is exact enough."""

import copy
import re

import pytest
import torch
from mmengine.dataset import default_collate
from mmengine.logging import MMLogger

from mmscd import init_model
from mmscd.models.loading import build_network
from mmscd.models.precision import (
    EXACT,
    PATIENCE,
    TOLERANCE,
    compare_forms,
    fast_forms,
    time_forms,
    use_precision,
)
from mmscd.registry import DATASETS, METRICS
from mmscd.utils.config import load_config


@pytest.fixture
def model(tiny_config, tiny_weights):
    return init_model(str(tiny_config), tiny_weights, 'cpu')


def images(count, height=64, width=128):
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(count))


def test_it_is_chosen_after_some_images_and_said(model, caplog):
    state = copy.deepcopy(model.state_dict())
    plain = model.finest_disp
    use_precision(model, 'auto')
    with torch.no_grad():
        assert (model.finest_disp(images(PATIENCE - 1)) == plain(images(PATIENCE - 1))).all()
        assert (model.finest_disp(images(1)) == plain(images(1))).all()
        assert model.finest_disp.shape == ()
        MMLogger.get_current_instance().addHandler(caplog.handler)
        actual = model.finest_disp(images(2))
        assert model.finest_disp.shape == (3, 64, 128)
        assert (actual - plain(images(2))).abs().max() <= TOLERANCE
        # another size is none that was tried
        other = images(1, 96, 128)
        assert (model.finest_disp(other) == plain(other)).all()
    pattern = r'precision: (.*): ([\d.]+)x of float32, disparity within (\S+)'
    said = re.findall(pattern, caplog.text)
    assert len(said) == 1 and float(said[0][1]) >= 1 and float(said[0][2]) <= TOLERANCE
    assert model.state_dict().keys() == state.keys()
    assert all((model.state_dict()[key] == value).all() for key, value in state.items())


def test_float32_is_the_network_as_it_is(model):
    use_precision(model, 'auto')
    use_precision(model, 'float32')
    assert 'finest_disp' not in vars(model)
    with pytest.raises(ValueError, match="precision must be one of .*'half'"):
        use_precision(model, 'half')
    other = torch.nn.Conv2d(3, 1, 1)  # no estimator of ours
    use_precision(other, 'auto')
    assert not hasattr(other, 'finest_disp')


def test_predictions_go_through_the_chosen_form(model):
    use_precision(model, 'auto')
    model.finest_disp.shape = torch.Size((3, 64, 128))
    model.finest_disp.chosen = lambda image: torch.full((len(image), 1, 64, 128), 0.25)
    from mmscd.structures import DepthDataSample

    for flip in (False, True):
        model.flip_tta = flip
        inputs = dict(network_input=images(2)[:, None])
        samples = [DepthDataSample(metainfo=dict(ori_shape=(9, 8))) for _ in range(2)]
        for sample in model(inputs, samples, mode='predict'):
            low, high = model.depth_range
            inverse = 1 / high + (1 / low - 1 / high) * 0.25
            assert sample.pred_depth.data == pytest.approx(1 / inverse, rel=1e-5)


def test_what_is_not_exact_enough_is_left_out():
    def refuse(image):
        raise RuntimeError('expected scalar type Float')

    forms = dict(
        plain=lambda image: image,
        close=lambda image: image + TOLERANCE * 0.9,
        far=lambda image: image + (image == image.max()) * TOLERANCE * 1.1,
        broken=lambda image: image * float('nan'),
        refused=refuse,
    )
    changes = compare_forms(forms, torch.rand(1, 1, 4, 4).double(), TOLERANCE)
    assert list(changes) == ['plain', 'close']
    assert changes['plain'] == 0
    assert changes['close'] == pytest.approx(TOLERANCE * 0.9)
    with pytest.raises(RuntimeError, match='expected scalar'):
        compare_forms(dict(plain=refuse), torch.rand(1, 1, 4, 4), TOLERANCE)


def test_times_and_forms(model):
    forms = fast_forms(model)
    assert list(forms)[0] == 'float32, channels_last, batch norm folded'
    seconds = time_forms(forms, images(1))
    assert seconds.keys() == forms.keys()
    assert all(0 < value < float('inf') for value in seconds.values())


def test_what_judges_gives_the_metrics_of_float32_on_real_images(mmscd_data, monkeypatch):
    """To four decimals, for a decoder whose disparity spreads as that of a trained one."""
    monkeypatch.setenv('KITTI_ROOT', str(mmscd_data / 'kitti_raw'))
    monkeypatch.setenv('KITTI_SPLITS', str(mmscd_data / 'splits'))
    cfg = load_config('configs/monodepth2/monodepth2_r18_kitti.py')
    torch.manual_seed(0)
    model = build_network(cfg)
    weights = torch.load(mmscd_data / 'weights/resnet18_imagenet_derived_fp16.pth')
    model.backbone.load_state_dict({k: v.float() for k, v in weights.items()})
    torch.nn.init.constant_(model.disp_head.predict['0'].bias, -2.0)
    model.disp_head.predict['0'].weight.data *= 6
    options = dict(drives=['2011_09_26_drive_0013_sync'], gt_cache_dir=None)
    dataset = DATASETS.build({**cfg.test_dataloader.dataset, **options})
    batch = default_collate([dataset[i] for i in range(0, len(dataset), 5)])
    batch = model.data_preprocessor(batch)
    forms, found = dict(plain=model.finest_disp, **fast_forms(model)), {}
    changes = compare_forms(forms, batch['inputs']['network_input'][:, 0], EXACT)
    assert len(changes) > 1
    for name in changes:
        model.finest_disp = forms[name]
        metric = METRICS.build(dict(type='DepthMetric', protocol='kitti_eigen'))
        samples = model(**batch, mode='predict')
        metric.process({}, [sample.to_dict() for sample in samples])
        found[name] = metric.evaluate(len(samples))
    disp = forms['plain'](batch['inputs']['network_input'][:1, 0])
    assert disp.quantile(0.95) / disp.quantile(0.05) > 2
    for metrics in found.values():
        assert metrics == pytest.approx(found['plain'], abs=5e-5)

"""The page of demo/app.py: what it computes, and that it says how to get gradio."""

import importlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest

DEMO = Path(__file__).parents[2] / 'demo'


@pytest.fixture
def app(monkeypatch):
    monkeypatch.syspath_prepend(str(DEMO))
    return importlib.import_module('app')


@pytest.fixture
def comparison(app, tiny_config, tiny_weights):
    models = [(name, str(tiny_config), tiny_weights) for name in ('baseline', 'other')]
    return app.Comparison(models, 'cpu')


def test_relative_change_ignores_scale(app):
    depth = np.linspace(1, 9, 10).reshape(2, 5)
    assert app.relative_change(depth, 7 * depth) == pytest.approx(0)
    other = depth.copy()
    other[0] *= 1.5
    # medians lie between the two halves: each is off by sqrt(1.5)
    assert app.relative_change(depth, other) == pytest.approx(1.5**0.5 - 1)


def test_comparison(app, comparison, street):
    seen, *outputs = comparison(street[0], app.NONE, 3)
    assert (seen == street[0]).all()
    assert outputs[0].shape == outputs[2].shape == (80, 160, 3)
    assert 'changes by 0.0 %' in outputs[1] and outputs[1] == outputs[3]
    seen, *outputs = comparison(street[0], 'fog', 5)
    assert (seen != street[0]).any() and 'changes by 0.0 %' not in outputs[1]
    assert comparison(street[0], 'fog', 0)[2] == comparison(street[0], app.NONE, 5)[2]
    assert comparison(None, 'fog', 1) == [None] * 5
    wide = np.zeros((10, 2000, 3), np.uint8)
    assert comparison(wide, app.NONE, 0)[0].shape == (6, 1280, 3)


def test_names_must_differ(app, tiny_config, tiny_weights):
    with pytest.raises(ValueError, match='name of its own'):
        app.Comparison([('a', str(tiny_config), tiny_weights)] * 2, 'cpu')


def test_the_page_builds_or_says_what_is_missing(app, comparison, monkeypatch):
    try:
        import gradio  # noqa: F401
    except ImportError:
        pass
    else:
        assert app.build_app(comparison) is not None
    monkeypatch.delenv('GRADIO_ANALYTICS_ENABLED', raising=False)
    monkeypatch.setitem(sys.modules, 'gradio', None)
    with pytest.raises(ImportError, match=r'pip install -e .\[demo\]'):
        app.build_app(comparison)
    assert os.environ['GRADIO_ANALYTICS_ENABLED'] == 'False'  # before the import

"""The tool draws one labelled sheet per sample, with the perturbation or without."""

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmscd.visualization.browse import input_panels, load_batch

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis_tools' / 'browse_dataset.py'


@pytest.fixture
def main():
    return runpy.run_path(str(TOOL))['main']


def test_sheets_of_a_training_with_perturbation(main, tiny_config, tmp_path, capsys):
    options = ['--num', '3', '--panel-width', '240', '--cfg-options']
    options.append('model.losses.texture.type=TextureDisambiguationLoss')
    main([str(tiny_config), '--out', str(tmp_path), *options])
    sheets = sorted(tmp_path.iterdir())
    assert [s.name.rsplit('_', 1)[0] for s in sheets] == ['train_000', 'train_001', 'train_002']
    # three rows of four panels with heads of 24, gaps of 4
    assert cv2.imread(str(sheets[0])).shape == (3 * (24 + 120) + 8, 4 * 240 + 12, 3)
    printed = capsys.readouterr().out
    assert all(str(sheet) in printed for sheet in sheets)
    # the same draws again
    first = sheets[0].read_bytes()
    main([str(tiny_config), '--out', str(tmp_path), *options])
    assert sheets[0].read_bytes() == first


def test_baseline_shows_the_input_only(main, tiny_config, tmp_path, capsys):
    main([str(tiny_config), '--out', str(tmp_path), '--split', 'val', '--num', '99'])
    sheets = list(tmp_path.iterdir())
    assert len(sheets) == 5
    assert 'no perturbation' in capsys.readouterr().out
    # one frame; its panel is the image itself, unjittered
    picture = cv2.imread(str(sheets[0]))
    assert picture.shape == (24 + 200, 4 * 400 + 12, 3)


def test_panels_show_what_the_network_gets(tiny_config):
    from mmscd.utils.config import load_config

    cfg = load_config(str(tiny_config))
    inputs, data_samples = load_batch(cfg, 'val', 2)
    assert torch.allclose(inputs['picture'], inputs['frames'], atol=1e-6)
    panels = input_panels(inputs, 0, data_samples[0].frame_ids)
    assert [title for title, _ in panels] == ['network input: target 0']
    expected = (inputs['frames'][0, 0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    assert np.array_equal(panels[0][1], expected)


def test_bad_numbers_are_refused(main, tiny_config):
    with pytest.raises(SystemExit, match='--num must be at least 1, got 0'):
        main([str(tiny_config), '--num', '0'])

"""Sheets of features and graphs: what is drawn is what the models say."""

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from mmscd.registry import MODELS, TEACHERS
from mmscd.utils.config import load_config
from mmscd.visualization import graph_sheet, read_image
from tools.analysis_tools import vis_graph

LEAF = """
_base_ = ['{config}']
model = dict(
    distiller=dict(
        type='IsomorphicGraphDistiller',
        student_taps=[dict(module='backbone', index=3, channels=256, stride=16)],
        teacher=dict(type='ColourTeacher', taps=[dict(module='net', channels=6, stride=8)]),
        dim=8,
        losses=dict(edge=dict(type='EdgeKLLoss'), anchor=dict(type='AnchorLoss')),
    )
)
"""


@TEACHERS.register_module()
class ColourTeacher(nn.Module):
    """Local colour means, and what a fixed layer makes of them."""

    def __init__(self, taps):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.net = nn.Conv2d(3, 6, 8, 8).requires_grad_(False)

    @torch.no_grad()
    def forward(self, images):
        return dict(feats=[self.net(images)], logits=None)


@pytest.fixture(scope='module')
def trained(tiny_config, tmp_path_factory):
    """Config and checkpoint of a model with a graph, and an image, 160x80."""
    folder = tmp_path_factory.mktemp('vis')
    config = folder / 'leaf.py'
    config.write_text(LEAF.format(config=tiny_config))
    torch.manual_seed(0)
    model = MODELS.build(load_config(str(config)).model)
    torch.save(dict(state_dict=model.state_dict()), folder / 'iter_1.pth')
    state = {k: v for k, v in model.state_dict().items() if not k.startswith('distiller.')}
    torch.save(dict(state_dict=state), folder / 'published.pth')
    image = np.random.default_rng(0).integers(0, 255, (80, 160, 3), np.uint8)
    cv2.imwrite(str(folder / 'street.png'), cv2.GaussianBlur(image, (0, 0), 3))
    return folder


def draw(trained, out, *options):
    files = (trained / 'leaf.py', trained / 'iter_1.pth', '--images', trained / 'street.png')
    vis_graph.main([str(part) for part in (*files, '--out', out, *options)])
    return read_image(out / 'street_graph.png')


def test_sheets_have_a_panel_for_everything(trained, tmp_path):
    panel, gap = 24 + 320, 4
    assert draw(trained, tmp_path / 'a').shape == (4 * panel + 3 * gap, 640, 3)
    options = ('--corrupt', 'fog', '--severity', 5, '--pixel', 90, 20)
    both = draw(trained, tmp_path / 'b', *options)
    assert both.shape == (6 * panel + 5 * gap, 2 * 640 + gap, 3)
    left, right = both[24:panel, :640].astype(float), both[24:panel, 644:].astype(float)
    assert abs(left - right).mean() > 10
    same = draw(trained, tmp_path / 'c', '--corrupted-images', trained / 'street.png')
    assert np.array_equal(same[24:panel, :640], same[24:panel, 644:])
    assert np.array_equal(same[24 - panel :, :640], same[24 - panel :, 644:])


def test_edges_are_those_of_the_pixels_vertex(trained):
    looker = graph_sheet.Looker(load_config(str(trained / 'leaf.py')), trained / 'iter_1.pth')
    look = looker.look(read_image(trained / 'street.png'))
    assert look.grid == (4, 8) and look.image.shape == (64, 128, 3)
    # 160x80 pixels on 8x4 cells of 20x20
    assert graph_sheet.vertex_of((19, 0), (80, 160), look.grid) == 0
    assert graph_sheet.vertex_of((20, 79), (80, 160), look.grid) == 25
    with pytest.raises(ValueError, match='pixel 160 0 is outside of the image 160x80'):
        graph_sheet.vertex_of((160, 0), (80, 160), look.grid)
    row = look.pair.student.adjacency[0, 25].detach().numpy()
    assert row.sum() == pytest.approx(1, abs=1e-5) and row[25] == 0
    peak = np.zeros(32)
    peak[11] = 1
    black = np.zeros((80, 160, 3), np.uint8)
    drawn = graph_sheet.edge_panel(peak, 25, look.grid, black, 'edges')[24:].astype(int)
    y, x = np.unravel_index(drawn[:60].sum(-1).argmax(), (60, 160))
    assert (y // 20, x // 20) == (1, 3)
    assert drawn[60, 20].tolist() == drawn[79, 39].tolist() == [255, 255, 255]


def test_colours_are_principal_components():
    """Two kinds of cells get two colours, on another map of the same network too."""
    g = torch.Generator().manual_seed(0)
    kinds = torch.randn(2, 16, generator=g)
    where = torch.zeros(6, 8, dtype=torch.long)
    where[:, 4:] = 1
    features = kinds[where].permute(2, 0, 1) + 0.05 * torch.randn(16, 6, 8, generator=g)
    colours = graph_sheet.FeatureColours(features)
    first = colours(features, (6, 8)).astype(int)
    assert abs(first[:, :4, 0].mean() - first[:, 4:, 0].mean()) > 200
    assert np.array_equal(colours(features * 3 + 2, (6, 8)), first), 'LayerNorm undoes both'
    mirrored = colours(features.flip(-1), (6, 8)).astype(int)
    assert np.array_equal(mirrored[:, ::-1], first)


def test_mistakes_are_named(trained, tmp_path, tiny_config):
    config = load_config(str(trained / 'leaf.py'))
    with pytest.raises(ValueError, match='published.pth do not fit.*it has no graph'):
        graph_sheet.Looker(config, trained / 'published.pth')
    with pytest.raises(ValueError, match='no model.distiller'):
        graph_sheet.Looker(load_config(str(tiny_config)), trained / 'iter_1.pth')
    with pytest.raises(ValueError, match='--pair must be below 1, got 3'):
        graph_sheet.Looker(config, trained / 'iter_1.pth', index=3)
    with pytest.raises(SystemExit, match='2 for 1 images'):
        draw(trained, tmp_path, '--corrupted-images', 'a.png', 'b.png')

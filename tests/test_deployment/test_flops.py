"""Counted operations equal a count by hand."""

import json

import pytest
import torch
from torch import nn

from mmscd.deployment import DepthGraph, load_network
from mmscd.deployment.flops import count_flops
from tools.analysis_tools import get_flops

CONFIG = 'configs/monodepth2/monodepth2_r18_kitti-mini.py'


def macs_of_convolutions(module, image):
    """Sum over all convolutions that run: out pixels x out channels x in channels x kernel."""
    total = 0

    def add(conv, inputs, output):
        nonlocal total
        total += output[0].numel() * conv.weight[0].numel()

    handles = [m.register_forward_hook(add) for m in module.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        module(image)
    for handle in handles:
        handle.remove()
    return total


def test_macs_and_parameters(tmp_path, capsys):
    out = tmp_path / 'flops.json'
    get_flops.main([CONFIG, '--size', '128x64', '--out', str(out)])
    numbers = json.loads(out.read_text())
    _, model = load_network(CONFIG)
    graph = DepthGraph(model)
    total = numbers['total']
    assert total['macs'] == macs_of_convolutions(graph, torch.zeros(1, 3, 64, 128))
    assert total['flops'] == 2 * total['macs']
    assert numbers['backbone']['params'] == 11176512  # ResNet-18 without its classifier
    assert total['params'] == sum(p.numel() for p in graph.parameters())
    assert 'one image of 128x64' in capsys.readouterr().out


def test_four_times_the_pixels_cost_four_times_as_much():
    graph = DepthGraph(load_network(CONFIG)[1])
    small, large = (count_flops(graph, size)['total'] for size in ((128, 64), (256, 128)))
    assert large['macs'] == 4 * small['macs']


def test_attention_counts():
    class Attention(nn.Module):
        """A stand-in for a graph whose backbone attends."""

        def __init__(self):
            super().__init__()
            self.backbone = nn.MultiheadAttention(16, 4, batch_first=True)
            self.disp_head = nn.Identity()

        def forward(self, image):
            tokens = image.reshape(1, -1, 16)
            return self.disp_head(self.backbone(tokens, tokens, tokens, need_weights=False)[0])

    rows = count_flops(Attention().eval(), (32, 8))
    tokens = 3 * 32 * 8 // 16
    # queries, keys, values and the output; then two products of tokens with tokens
    expected = tokens * 16 * 16 * 4 + 2 * tokens * tokens * 16
    assert rows['backbone']['macs'] == expected


def test_mistakes(tmp_path):
    for arguments, words in (
        ([CONFIG, '--size', '100x64'], 'multiples of 32'),
        (['configs/none.py'], 'there is no config'),
        (['configs/teachers/segformer_b0_cityscapes.py'], 'defines no `model`'),
    ):
        with pytest.raises(SystemExit, match=words):
            get_flops.main(arguments)

"""Taps: order, indices, removal of hooks, errors that name what is wrong."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mmscd.models.taps import TapRecorder, describe_tap, find_module


class Pyramid(nn.Module):
    """A tuple, a dict and a single tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Stages()
        self.heads = nn.ModuleList([nn.Identity(), Named()])
        self.unused = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.backbone(x)
        self.heads[1](second)
        return self.heads[0](first)


class Stages(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * 2, x * 3


class Named(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Tensor | None]:
        return dict(p3=x + 1, none=None)


def record(*taps: dict) -> list[Tensor]:
    network = Pyramid()
    with TapRecorder(taps).recording(network) as maps:
        network(torch.ones(1))
    return maps


def test_maps_come_in_the_order_of_the_taps():
    maps = record(
        dict(module='heads.1', index='p3', channels=1),
        dict(module='backbone', index=1),
        dict(module='backbone', index=-2),
        dict(module='heads.0'),
        dict(module=''),
    )
    assert [float(m) for m in maps] == [4.0, 3.0, 2.0, 2.0, 2.0]


def test_the_last_run_counts_and_gradients_flow():
    network, x = Pyramid(), torch.ones(1, requires_grad=True)
    with TapRecorder([dict(module='backbone', index=0)]).recording(network) as maps:
        assert maps == [None]
        network(x)
        network(x * 5)
    maps[0].sum().backward()
    assert maps[0].item() == 10 and x.grad.item() == 10


def test_a_snapshot_is_the_first_output_as_it_was():
    network = Pyramid()
    recorder = TapRecorder([dict(module='heads.0')], snapshot=True)
    with recorder.recording(network) as maps:
        network(torch.ones(1)).mul_(7)  # Identity: the output itself
        network(torch.full((1,), 9.0))
    assert maps[0].item() == 2
    with TapRecorder([dict(module='heads.0')]).recording(network) as maps:
        network(torch.ones(1)).mul_(7)
    assert maps[0].item() == 14


def hooks(network: nn.Module) -> int:
    return sum(len(m._forward_hooks) for m in network.modules())


def test_hooks_are_gone_afterwards_also_after_an_error():
    network = Pyramid()
    recorder = TapRecorder([dict(module='backbone', index=0)])
    with recorder.recording(network) as first:
        network(torch.ones(1))
    assert hooks(network) == 0
    network(torch.zeros(1))
    assert float(first[0]) == 2
    with pytest.raises(KeyError), recorder.recording(network):
        raise KeyError('of the body, not hidden by a tap that did not run')
    assert hooks(network) == 0


def test_recordings_may_be_nested():
    network, recorder = Pyramid(), TapRecorder([dict(module='backbone', index=0)])
    with recorder.recording(network) as outer:
        network(torch.ones(1))
        with recorder.recording(network) as inner:
            network(torch.full((1,), 4.0))
    assert float(inner[0]) == 8 and float(outer[0]) == 8


@pytest.mark.parametrize(
    ('tap', 'error', 'words'),
    [
        (dict(module='backbon', index=0), ValueError, "Pyramid has no module 'backbon'.*backbone"),
        (dict(module='backbone', index=2), ValueError, r'backbone\[2\].*2 maps.*\[0, 1\], got 2'),
        (dict(module='backbone', index=-3), ValueError, 'got -3'),
        (dict(module='backbone'), ValueError, r'2 maps.*got None'),
        (dict(module='heads.0', index=0), ValueError, 'one tensor; leave `index` out'),
        (dict(module='heads.1', index='none'), ValueError, 'NoneType there'),
        (dict(module='unused'), RuntimeError, 'unused of Pyramid did not run'),
        (dict(index=0), ValueError, "needs the path of a module.*'index': 0"),
    ],
)
def test_what_is_wrong_is_named(tap, error, words):
    with pytest.raises(error, match=words):
        record(tap)


def test_words_and_finding():
    assert describe_tap(dict(module='a.b', index=1)) == 'a.b[1]'
    assert describe_tap(dict(module='a.b')) == 'a.b'
    network = Pyramid()
    assert find_module(network, 'heads.1') is network.heads[1]

"""What is compiled where a model asks for it, and what stays as it is."""

import copy

import pytest
import torch
from torch import nn

from mmscd.utils import compiling
from mmscd.utils.compiling import PARTS, compile_parts, parts_to_compile, run


@pytest.fixture(autouse=True)
def traced(monkeypatch):
    """`aot_eager` traces and differentiates like `inductor` and takes no compiler."""
    monkeypatch.setattr(compiling, 'BACKEND', 'aot_eager')
    compiling._whole.cache_clear()
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield
    compiling._whole.cache_clear()


def graphs():
    return torch._dynamo.utils.counters['stats']['unique_graphs']


def test_parts_are_named():
    assert parts_to_compile(True) == PARTS and parts_to_compile(False) == ()
    assert parts_to_compile(['losses', 'networks']) == ('losses', 'networks')
    with pytest.raises(ValueError, match=r"unknown part in model.compile 'loss'.*'losses'"):
        parts_to_compile(['loss'])


def double(x):
    return 2 * x


def branch(x):
    return x if x.sum() > 0 else -x


def test_a_function_is_compiled_once():
    for _ in range(3):
        assert run(True, double, torch.ones(2)).tolist() == [2, 2]
    assert graphs() == 1
    assert run(False, branch, -torch.ones(2)).tolist() == [1, 1]


def test_what_cannot_be_compiled_whole_is_said():
    with pytest.raises(RuntimeError, match=r'branch cannot be compiled here: set model.compile'):
        run(True, branch, torch.ones(2))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x):
        return self.bn(self.conv(x)).relu()


def test_a_network_is_compiled_in_training_alone():
    torch.manual_seed(0)
    net, x, seen = Net(), torch.randn(2, 3, 8, 8), []
    plain = copy.deepcopy(net)
    compile_parts(['networks'], nn.Identity(), [net, None])
    assert list(net.state_dict()) == list(plain.state_dict())
    net.register_forward_hook(lambda module, given, out: seen.append(out))
    for _ in range(2):
        out, expected = net(x), plain(x)
        torch.testing.assert_close(out, expected)
        assert seen.pop() is out  # hooks see every pass
    assert graphs() == 1
    (first,), (second,) = (torch.autograd.grad(o.sum(), [w]) for o, w in
                           ((out, net.conv.weight), (expected, plain.conv.weight)))  # fmt: skip
    torch.testing.assert_close(first, second)
    torch.testing.assert_close(net.bn.running_mean, plain.bn.running_mean)
    assert torch.equal(net.eval()(x), plain.eval()(x)) and graphs() == 1


def test_a_copy_has_weights_of_its_own_and_is_plain():
    net, x = Net(), torch.randn(2, 3, 8, 8)
    compile_parts(['networks'], nn.Identity(), [net, None])
    net(x)
    twin = copy.deepcopy(net)
    nn.init.zeros_(twin.bn.weight)
    assert not twin(x).any() and net(x).any()
    assert graphs() == 1

"""Keyed random numbers against splitmix64 in plain Python integers, and their statistics."""

import zlib

import pytest
import torch

from mmscd.utils.keyed_random import _mix, make_key, uniform, uniform_many

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
KNOWN_KEYS = [5197578548964807871, -6411193824288604561, 3136874504088014242]
KNOWN_FLIP = 0.11775266046066957
KNOWN_COLOUR = [0.7432790356646072, 0.849926252585211]


def mix(z):
    """The finaliser of splitmix64 on an unsigned Python int."""
    z &= MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def signed(value):
    value &= MASK
    return value - 2**64 if value >= 2**63 else value


def naive_key(seed, position):
    return signed(mix(mix((2 * seed + 1) * GOLDEN) + position * GOLDEN))


def naive_uniform(key, name, count):
    stream = mix((key & MASK) ^ (zlib.crc32(name.encode()) * GOLDEN & MASK))
    return [(mix(stream + i * GOLDEN) >> 11) * 2.0**-53 for i in range(1, count + 1)]


def keys(count, seed=0):
    return torch.tensor([make_key(seed, position) for position in range(count)])


def test_finaliser_gives_the_published_stream():
    """splitmix64 with seed 1234567, the usual test vector."""
    states = torch.tensor([signed(1234567 + i * GOLDEN) for i in range(1, 6)])
    assert [value & MASK for value in _mix(states).tolist()] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@pytest.mark.parametrize('seed', [0, 1, 42, 2**31 - 1, 2**40, -3])
def test_make_key_equals_plain_python(seed):
    for position in (0, 1, 2, 1000, 2**33, -1, -20):
        key = make_key(seed, position)
        assert key == naive_key(seed, position)
        assert -(2**63) <= key < 2**63


def test_uniform_equals_plain_python():
    batch = torch.tensor([0, 1, -1, 2**63 - 1, -(2**63), make_key(3, 4)])
    for name in ('flip', 'jitter', 'a longer name', ''):
        numbers = uniform(batch, name, 3)
        assert numbers.dtype == torch.float64 and numbers.shape == (6, 3)
        for row, key in zip(numbers.tolist(), batch.tolist(), strict=True):
            assert row == naive_uniform(key, name, 3)


def test_known_values():
    """A change of these changes every seeded training."""
    assert [make_key(0, 0), make_key(0, 1), make_key(7, 123)] == KNOWN_KEYS
    assert uniform(torch.tensor([KNOWN_KEYS[2]]), 'flip').item() == KNOWN_FLIP
    assert uniform(torch.tensor([KNOWN_KEYS[2]]), 'colour', 2)[0].tolist() == KNOWN_COLOUR


def test_first_numbers_do_not_depend_on_the_count_or_on_the_batch():
    batch = keys(8)
    assert torch.equal(uniform(batch, 'x', 5)[:, :2], uniform(batch, 'x', 2))
    assert torch.equal(uniform(batch, 'x', 5)[3:4], uniform(batch[3:4], 'x', 5))


def test_uniformity():
    """Over consecutive positions: mean, variance, and chi-squared of 64 bins (99.9 % is 103)."""
    numbers = uniform(keys(20000), 'flip')[:, 0]
    assert numbers.min() >= 0 and numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 4 * (1 / 12 / 20000) ** 0.5
    assert abs(numbers.var() - 1 / 12) < 0.002
    counts = torch.histc(numbers, 64, 0, 1)
    assert ((counts - 20000 / 64) ** 2 / (20000 / 64)).sum() < 103


def correlation(a, b):
    return torch.corrcoef(torch.stack([a, b]))[0, 1].abs()


def test_independence_of_names_counters_keys_and_seeds():
    batch = keys(10000)
    flip = uniform(batch, 'flip', 2)
    limit = 4 / 10000**0.5
    assert correlation(flip[:, 0], uniform(batch, 'jitter')[:, 0]) < limit
    assert correlation(flip[:, 0], flip[:, 1]) < limit
    assert correlation(flip[:-1, 0], flip[1:, 0]) < limit
    assert correlation(flip[:, 0], uniform(keys(10000, seed=1), 'flip')[:, 0]) < limit
    assert len(set(batch.tolist()) | set(keys(10000, seed=1).tolist())) == 20000


def test_wrong_keys_are_refused():
    with pytest.raises(ValueError, match='int64 vector, got torch.float32'):
        uniform(torch.zeros(3), 'flip')
    with pytest.raises(ValueError, match='int64 vector'):
        uniform(torch.zeros(3, 1, dtype=torch.int64), 'flip')


def test_many_names_at_once_are_those_one_by_one():
    counts = dict(flip=1, colour=4, order=37)
    drawn = uniform_many(keys(5), counts)
    assert list(drawn) == list(counts)
    for name, count in counts.items():
        assert torch.equal(drawn[name], uniform(keys(5), name, count))
        assert drawn[name][3].tolist() == naive_uniform(int(keys(5)[3]), name, count)

"""The keyed sampler: order, ranks, entry at any place, and how indices keep their keys."""

import copy
import itertools
import pickle

import pytest
import torch
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from torch.utils.data import DataLoader, Dataset

from mmscd.datasets import samplers
from mmscd.datasets.samplers import KeyedInfiniteSampler, SampleIndex
from mmscd.utils.keyed_random import make_key


def take(sampler, count):
    """(index, key) pairs of the next iteration."""
    return [(int(i), i.draw_key) for i in itertools.islice(iter(sampler), count)]


@pytest.fixture
def on_rank(monkeypatch):
    """Builds the sampler of one rank."""

    def build(rank, world_size, size=10, seed=5, shuffle=True):
        monkeypatch.setattr(samplers, 'get_dist_info', lambda: (rank, world_size))
        return KeyedInfiniteSampler(range(size), shuffle, seed)

    return build


@pytest.mark.parametrize('size', [1, 7, 10])
def test_every_pass_is_a_permutation_with_its_own_order(on_rank, size):
    indices = [i for i, _ in take(on_rank(0, 1, size), 6 * size)]
    passes = [tuple(indices[k * size : (k + 1) * size]) for k in range(6)]
    assert all(sorted(order) == list(range(size)) for order in passes)
    assert len(set(passes)) == (1 if size == 1 else 6)


def test_without_shuffle_in_order(on_rank):
    sampler = on_rank(0, 1, 4, shuffle=False)
    assert [i for i, _ in take(sampler, 9)] == [0, 1, 2, 3, 0, 1, 2, 3, 0]


def test_keys_are_those_of_the_positions_and_never_repeat(on_rank):
    keys = [key for _, key in take(on_rank(0, 1), 500)]
    assert keys == [make_key(5, position) for position in range(500)]
    assert len(set(keys)) == 500


def test_seed_decides_everything(on_rank):
    assert take(on_rank(0, 1), 50) == take(on_rank(0, 1), 50)
    assert take(on_rank(0, 1), 50) != take(on_rank(0, 1, seed=6), 50)


# 10 is no multiple of 3 or 4, so that passes begin in the middle of a round of the ranks
@pytest.mark.parametrize('world_size', [2, 3, 4])
def test_ranks_together_are_the_single_stream(on_rank, world_size):
    whole = take(on_rank(0, 1), 60 * world_size)
    ranks = [take(on_rank(rank, world_size), 60) for rank in range(world_size)]
    assert [pair for step in zip(*ranks, strict=True) for pair in step] == whole


@pytest.mark.parametrize('rank, world_size', [(0, 1), (1, 3)])
@pytest.mark.parametrize('skipped', [0, 1, 9, 10, 137])
def test_skip_equals_walking(on_rank, rank, world_size, skipped):
    sampler = on_rank(rank, world_size)
    walked = take(sampler, skipped + 25)[skipped:]
    sampler.skip(skipped)
    assert take(sampler, 25) == walked
    with pytest.raises(ValueError, match='must not be negative, got -1'):
        sampler.skip(-1)


def test_empty_dataset_is_refused():
    with pytest.raises(ValueError, match='dataset is empty'):
        KeyedInfiniteSampler([])


@pytest.mark.parametrize('key', [0, -1, 2**63 - 1, -(2**63)])
def test_index_survives_pickle_and_copy(key):
    index = SampleIndex(4, key)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(index, protocol))
        assert again == 4 and again.draw_key == key and type(again) is SampleIndex
    assert copy.deepcopy(index).draw_key == copy.copy(index).draw_key == key


def test_index_is_an_index_and_arithmetic_keeps_its_key():
    index = SampleIndex(17, 99)
    assert [*range(20)][index] == 17 and {17: 'x'}[index] == 'x'
    for result, expected in ((index - 3, 14), (index + 3, 20), (index % 5, 2), (index - 3 - 4, 10)):
        assert result == expected and result.draw_key == 99 and type(result) is SampleIndex


class Keys(Dataset):
    """Gives back what it is asked for."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return int(index), torch.tensor(index.draw_key)


@pytest.mark.parametrize('workers', [0, 2])
def test_keys_reach_the_dataset_through_workers(on_rank, workers):
    sampler = on_rank(0, 1)
    loader = DataLoader(Keys(), batch_size=3, sampler=sampler, num_workers=workers)
    batches = list(itertools.islice(iter(loader), 5))
    pairs = [
        pair
        for indices, keys in batches
        for pair in zip(indices.tolist(), keys.tolist(), strict=True)
    ]
    assert pairs == take(sampler, 15)


class Named(BaseDataset):
    """A data set of mmengine whose samples say where they come from and their key."""

    def __init__(self, name, size):
        self.name, self.size = name, size
        super().__init__()

    def load_data_list(self):
        return [dict(number=number) for number in range(self.size)]

    def prepare_data(self, idx):
        return self.name, int(idx), getattr(idx, 'draw_key', None)


def test_wrappers_of_mmengine_keep_the_key():
    joined = ConcatDataset([Named('a', 3), Named('b', 4)])
    assert joined[SampleIndex(2, 11)] == ('a', 2, 11)
    assert joined[SampleIndex(5, 12)] == ('b', 2, 12)
    repeated = RepeatDataset(Named('c', 3), times=4)
    assert repeated[SampleIndex(10, 13)] == ('c', 1, 13)

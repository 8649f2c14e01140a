"""Retinex split, random regions, the perturbation: numbers against loops, what must not be."""

import math
import re

import pytest
import torch
import torch.nn.functional as F

from mmscd.models.texture import RetinexTexturePerturbation
from mmscd.models.texture import draws as draws_module
from mmscd.models.texture.kinds import displaced, following, mean_texture, soften
from mmscd.models.texture.regions import (
    block_shuffle,
    cell_grid,
    draw_rectangles,
    keep_within,
    log_uniform_size,
    place_rectangles,
)
from mmscd.models.texture.retinex import gaussian_lowpass, retinex_split, strong_edges
from mmscd.registry import MODELS
from mmscd.utils.keyed_random import make_key, uniform_many

SHAPE = (96, 320)
NONE = dict(missing=None, shuffle=None, blend=None, light=None)
STRICT = dict(missing=dict(lowpass_prob=0.0), light=None)


def only(**kinds):
    """These kinds and no other."""
    return NONE | kinds


def keys(count, seed=0):
    return torch.tensor([make_key(seed, i) for i in range(count)])


def scenes(batch, shape=SHAPE, seed=0, dtype=torch.float32):
    """Images with light, big things with edges, and fine texture, in [0, 1]."""
    g = torch.Generator().manual_seed(seed)

    def noise(height, width, channels, mode):
        small = torch.rand(batch, channels, height, width, generator=g, dtype=torch.float64)
        options = {} if mode == 'nearest' else dict(align_corners=False)
        return F.interpolate(small, shape, mode=mode, **options)

    light = 0.3 + 0.7 * noise(3, 5, 1, 'bilinear')
    things = 0.2 + 0.8 * noise(3, 8, 3, 'nearest')
    texture = 0.8 + 0.4 * noise(shape[0] // 2, shape[1] // 2, 1, 'bilinear')
    return (light * things * texture).clamp(0, 1).to(dtype)


# --- Retinex


def naive_lowpass(x, sigma):
    """The full Gaussian matrix on both axes, borders replicated."""
    matrices = []
    for length in x.shape[-2:]:
        radius = math.ceil(3 * sigma)
        matrix = torch.zeros(length, length, dtype=torch.float64)
        for i in range(length):
            for step in range(-radius, radius + 1):
                j = min(max(i + step, 0), length - 1)
                matrix[i, j] += math.exp(-0.5 * (step / sigma) ** 2)
        matrices.append(matrix / matrix.sum(1, keepdim=True))
    return matrices[0] @ x @ matrices[1].T


def test_lowpass_equals_the_full_gaussian_where_it_is_small():
    x = torch.rand(2, 3, 14, 19, dtype=torch.float64)
    assert (gaussian_lowpass(x, 1.3) - naive_lowpass(x, 1.3)).abs().max() < 1e-12


def test_lowpass_on_the_coarse_grid_is_nearly_the_full_gaussian():
    x = scenes(2, dtype=torch.float64)
    difference = gaussian_lowpass(x, 12.0) - naive_lowpass(x, 12.0)
    # what the filter takes out is twenty times as large as what the coarse grid does to it
    assert difference.std() < 0.05 * (x - naive_lowpass(x, 12.0)).std()
    assert (gaussian_lowpass(torch.full((1, 1, 50, 70), 0.3), 9.0) - 0.3).abs().max() < 1e-6


def test_split_rebuilds_the_image():
    image = scenes(3)
    image[0, :, :20] = 0
    image[1, :, :20] = 1
    light, reflectance = retinex_split(image, 12.0)
    assert (light * reflectance - image).abs().max() < 1e-6
    assert light.shape == (3, 1, *SHAPE) and (light > 0).all()
    expected = naive_lowpass(image.double().amax(1, keepdim=True).clamp(min=0.5 / 255).log(), 12.0)
    assert (light.log() - expected).abs().mean() < 0.02


def test_strong_edges_are_found_and_texture_is_not():
    image = 0.5 + 0.02 * (torch.rand(1, 3, 96, 320) - 0.5)
    image[..., 160:] += 0.4
    edges = strong_edges(image, 1.0, 2)
    assert (edges[..., 158:162] == 1).all()
    assert edges[..., :150].max() == 0 and edges[..., 170:].max() == 0


# --- regions


def test_sizes_cover_their_range():
    draws = torch.linspace(0, 1 - 1e-9, 10000, dtype=torch.float64)
    sizes = log_uniform_size(draws, 8, 40)
    assert sizes.min() == 8 and sizes.max() == 40
    # as many octaves, as many sizes
    assert ((sizes < 18).double().mean() - math.log(18 / 8) / math.log(41 / 8)).abs() < 0.01
    assert (log_uniform_size(draws, 8, 3) == 8).all()


def test_keep_within_takes_regions_in_order_until_the_budget_is_spent():
    g = torch.Generator().manual_seed(0)
    area = torch.randint(0, 50, (6, 12), generator=g)
    priority = torch.rand(6, 12, generator=g)
    budget = torch.tensor([0, 10, 60, 150, 300, 10000])
    kept = keep_within(area, budget, priority)
    for b in range(6):
        total, open_ = 0, True
        for n in sorted(range(12), key=lambda i: priority[b, i]):
            total += int(area[b, n])
            open_ = open_ and total <= budget[b]
            assert kept[b, n] == open_
    assert (area * kept).sum(1).le(budget).all()


def test_cells_tile_the_image_and_none_is_too_small():
    g = torch.Generator().manual_seed(1)
    shape, size = (37, 61), (torch.tensor([8, 9, 18]), torch.tensor([8, 25, 13]))
    offset = (torch.rand(3, generator=g), torch.rand(3, generator=g))
    grid = cell_grid(size, offset, shape, 8)
    values = torch.rand(3, 2, *shape, generator=g, dtype=torch.float64)
    means, area = grid.mean(values), grid.area()
    spread = grid.spread(means)
    for b in range(3):
        for row in grid.rows[b].unique().tolist():
            for column in grid.columns[b].unique().tolist():
                rows = (grid.rows[b] == row).nonzero().flatten()
                columns = (grid.columns[b] == column).nonzero().flatten()
                # connected, and no side below the size
                assert len(rows) == rows[-1] - rows[0] + 1 >= size[0][b]
                assert len(columns) == columns[-1] - columns[0] + 1 >= size[1][b]
                assert area[b, row, column] == len(rows) * len(columns)
                inside = values[b][:, rows][:, :, columns]
                expected = inside.mean((1, 2))
                assert (means[b, :, row, column] - expected).abs().max() < 1e-12
                shown = spread[b][:, rows][:, :, columns]
                assert (shown - expected[:, None, None]).abs().max() < 1e-12
    assert (area.sum((1, 2)) == 37 * 61).all()


def test_mean_texture_keeps_the_mean_logarithm_of_the_brightest_channel():
    texture = scenes(2, (40, 60), dtype=torch.float64) + 0.05
    size = torch.tensor([8, 11])
    grid = cell_grid((size, size), (torch.zeros(2), torch.ones(2) * 0.5), (40, 60), 8)
    fill = grid.spread(mean_texture(grid, texture))
    before, after = (grid.mean(x.amax(1, keepdim=True).log()) for x in (texture, fill))
    assert (before - after)[grid.area()[:, None] > 0].abs().max() < 1e-12
    # and the colour of the mean
    mean = grid.spread(grid.mean(texture))
    ratio = fill / mean
    assert (ratio.amax(1) - ratio.amin(1)).abs().max() < 1e-12


def test_rectangles_lie_inside_and_within_the_budget():
    g = torch.Generator().manual_seed(2)
    draws = torch.rand(50, 6, 4, generator=g, dtype=torch.float64)
    count = torch.randint(1, 7, (50,), generator=g)
    budget = torch.randint(0, 6000, (50,), generator=g)
    boxes, kept = place_rectangles(draws, count, 8, 70, budget, (48, 90))
    top, left, height, width = boxes.unbind(-1)
    assert (top >= 0).all() and (left >= 0).all()
    assert (top + height <= 48).all() and (left + width <= 90).all()
    assert (height >= 8).all() and (width >= 8).all()
    assert (kept.sum(1) <= count).all()
    assert ((height * width * kept).sum(1) <= budget).all()
    # nobody who could have one goes without
    assert kept[budget > 1000].any(1).all()
    field = draw_rectangles(boxes, kept.double(), torch.full((50, 6), 0.4), (48, 90))
    for b in range(50):
        inside = torch.zeros(48, 90, dtype=torch.bool)
        for k in range(6):
            if kept[b, k]:
                y, x, h, w = boxes[b, k].tolist()
                inside[y : y + h, x : x + w] = True
        assert torch.equal(field[b, 0] > 0, inside)


def test_soft_edges_lie_inside_the_mask():
    mask = torch.zeros(1, 1, 40, 60)
    mask[..., 10:30, 20:44] = 1
    mask[..., 24:40, :26] = 1
    soft = soften(mask, 6)
    assert (soft <= mask).all() and (soft[..., 14:24, 24:40] == 1).all()
    assert 0 < soft[0, 0, 20, 21] < 1


def test_shuffle_moves_whole_patches_inside_their_block():
    g = torch.Generator().manual_seed(3)
    shape, low = (50, 83), 8
    size, block = torch.tensor([8, 9, 12, 16]), torch.tensor([2, 3, 4, 2])
    offset = torch.rand(4, 2, generator=g, dtype=torch.float64)
    draws = torch.rand(4, 2, shape[0] // low, shape[1] // low, generator=g, dtype=torch.float64)
    budget = torch.tensor([800, 2000, 4150, 3000])
    index, mask = block_shuffle(size, offset, block, draws, budget, shape)
    assert mask.sum((1, 2, 3)).le(budget).all() and mask.any((1, 2, 3)).all()
    everything = torch.arange(shape[0] * shape[1])
    for b in range(4):
        # every pixel goes to exactly one place
        assert torch.equal(index[b].sort().values, everything)
        moved = index[b] != everything
        assert moved.any() and not (moved & ~mask[b].flatten()).any()
        p, n = int(size[b]), int(block[b])
        first = (offset[b] * p).long()
        source = torch.stack([index[b] // shape[1], index[b] % shape[1]])
        place = torch.stack([everything // shape[1], everything % shape[1]])
        here = (place - first[:, None]).div(p, rounding_mode='floor')
        there = (source - first[:, None]).div(p, rounding_mode='floor')
        # the same place in another patch of the same block
        assert torch.equal(source - there * p, place - here * p)
        inside = mask[b].flatten()
        assert torch.equal(here[:, inside] // n, there[:, inside] // n)


def test_displaced_is_a_roll_and_a_flip():
    image = torch.rand(1, 2, 8, 16)
    draws = torch.tensor([[0.5, 0.1, 0.0, 0.9]], dtype=torch.float64)
    # flipped left to right, then rolled by (1/8 + 3/4 / 2) 8 = 4 rows and by 16 / 8 columns
    expected = image.flip(3).roll((-4, -2), (2, 3))
    assert torch.equal(displaced(image, draws), expected)


def test_following_does_not_depend_on_the_order():
    key, image = torch.tensor([30, 10, 20]), torch.tensor([3.0, 1.0, 2.0])
    assert following(image, key).tolist() == [1, 2, 3]
    assert following(image[:1], key[:1]).tolist() == [3]


# --- the perturbation


def test_built_from_config_and_refusals():
    assert isinstance(
        MODELS.build(dict(type='RetinexTexturePerturbation', kinds=STRICT)),
        RetinexTexturePerturbation,
    )
    for name, bad in (
        ('share', dict(share=(0.2, 0.7))),
        ('keep_edges', dict(keep_edges=1.2)),
        ('kinds.light.share', dict(kinds=dict(light=dict(share=(0.2, 0.61))))),
        ('kinds.missing.size', dict(kinds=dict(missing=dict(size=(12, 30))))),
        ('kinds.shuffle.size', dict(kinds=dict(shuffle=dict(size=(4, 8))))),
        ('kinds.shuffle.size', dict(kinds=dict(shuffle=dict(size=(30, 20))))),
        ('kinds.light.gain', dict(kinds=dict(light=dict(gain=0.5)))),
    ):
        with pytest.raises(ValueError, match=f'RetinexTexturePerturbation: {name} must'):
            RetinexTexturePerturbation(**bad)
    for bad, text in (
        (dict(blend=dict(donor='other')), "'self' or 'batch'"),
        (dict(blends={}), "unknown kind of texture perturbation 'blends'.*'blend'"),
        (dict(light=dict(gains=2)), "unknown option of kinds.light 'gains'.*'gain'"),
    ):
        with pytest.raises(ValueError, match=text):
            RetinexTexturePerturbation(kinds=bad)


def test_options_of_earlier_versions_are_refused_with_the_new_ones():
    earlier = (
        'missing_prob shuffle_prob blend_prob illumination_prob missing_size missing_soft_prob '
        'lowpass_fill_prob lowpass_fill_sigma shuffle_size shuffle_block blend_size blend_strength '
        'blend_donor illumination_share illumination_size illumination_gain max_rectangles strict'
    )
    known = dict(RetinexTexturePerturbation().kinds)
    for name in earlier.split():
        with pytest.raises(TypeError, match=f'{name} is now kinds') as error:
            RetinexTexturePerturbation(**{name: 1})
        for kind, option in re.findall(r'kinds\.(\w+)\.(\w+)', str(error.value)):
            assert hasattr(known[kind], option)
    with pytest.raises(TypeError, match='there is no option shares'):
        RetinexTexturePerturbation(shares=1)


# sums of images, from before the kinds had names
RECORDED = (
    ({}, 107005.73523455113),
    (
        dict(
            keep_edges=0.5,
            kinds=dict(missing=dict(lowpass_prob=0.7), light=dict(prob=0.8, gain=6.0)),
        ),
        100152.0205948092,
    ),
    (
        dict(
            share=(0.05, 0.2),
            keep_edges=0.8,
            kinds=dict(missing=dict(lowpass_prob=0.3), light=dict(prob=0.5, gain=3.0)),
        ),
        106262.79582350701,
    ),
    (dict(keep_edges=0.5, kinds=STRICT), 107170.23117761314),
    (dict(kinds=dict(blend=dict(donor='batch', prob=1.0))), 105728.61137077212),
)


@pytest.mark.parametrize(('options', 'recorded'), RECORDED)
def test_the_same_draws_as_ever(options, recorded):
    """A key gives the perturbation that it always gave: configs that have been trained stay so."""
    out = RetinexTexturePerturbation(**options)(scenes(3), keys(3))
    assert out.image.double().sum().item() == pytest.approx(recorded, rel=1e-7)


@pytest.mark.parametrize('donor', ['self', 'batch'])
def test_a_permuted_batch_gives_permuted_perturbations(donor):
    image, key, order = scenes(5), keys(5), torch.tensor([3, 0, 4, 2, 1])
    perturb = RetinexTexturePerturbation(kinds=dict(blend=dict(donor=donor, prob=1.0)))
    for value, permuted in zip(perturb(image, key), perturb(image[order], key[order]), strict=True):
        assert (value[order] - permuted).abs().max() < 1e-6


def test_batch_layout_does_not_matter_and_keys_do():
    image, key = scenes(4), keys(4)
    perturb = RetinexTexturePerturbation()
    together = perturb(image, key).image
    apart = torch.cat([perturb(image[i : i + 1], key[i : i + 1]).image for i in range(4)])
    assert (together - apart).abs().max() < 1e-6
    assert torch.equal(together, perturb(image, key).image)
    other = perturb(image, keys(4, seed=1)).image
    assert ((together - other).abs().amax((1, 2, 3)) > 0.05).all()


def test_parts_of_the_image_stay_the_same_to_the_bit_and_masks_stay_within_60_percent():
    image, shares = scenes(8), []
    perturb = RetinexTexturePerturbation(share=(0.6, 0.6), kinds=dict(light=None))
    for seed in range(25):
        out = perturb(image, keys(8, seed))
        untouched = out.mask == 0
        assert ((out.image == image) | ~untouched).all()
        assert out.image.min() >= 0 and out.image.max() <= 1
        shares.append((~untouched).float().mean((1, 2, 3)))
    shares = torch.cat(shares)
    assert shares.max() <= 0.6
    assert shares.mean() > 0.35 and shares.std() > 0.05


def test_probability_zero_of_everything_changes_nothing():
    image = scenes(2)
    for kinds in (NONE, {name: dict(prob=0.0) for name in NONE}):
        out = RetinexTexturePerturbation(kinds)(image, keys(2))
        assert torch.equal(out.image, image) and not out.mask.any()


def test_missing_patches_are_flat_and_large_enough():
    """Inside a masked cell R is one colour; every masked run is at least 16 px at 640 wide."""
    image = scenes(4, (192, 640))
    flat = dict(prob=1.0, lowpass_prob=0.0, soft_prob=0.0)
    perturb = RetinexTexturePerturbation(kinds=only(missing=flat), keep_edges=0.0)
    out = perturb(image, keys(4))
    assert ((out.mask == 0) | (out.mask == 1)).all()
    for mask, texture in zip(out.mask[:, 0], out.new_reflectance, strict=True):
        for lines in (mask, mask.T):
            for line in lines[::7]:
                changes = line.diff(prepend=line.new_zeros(1), append=line.new_zeros(1))
                runs = changes.nonzero().flatten().reshape(-1, 2).diff(dim=1)
                assert (runs >= 16).all()
        inside = (mask > 0) & (F.max_pool2d(1 - mask[None], 3, 1, 1)[0] == 0)
        steps = texture.diff(dim=2).abs().amax(0)[:, :-1]
        inside = inside[:, 1:-1] if inside.shape[1] - 2 == steps.shape[1] else inside[:, :-2]
        # steps only where one cell meets the next
        assert (steps[inside] > 1e-6).float().mean() < 0.1


def test_shuffle_exchanges_reflectance_and_nothing_else():
    image = scenes(4)
    perturb = RetinexTexturePerturbation(kinds=only(shuffle=dict(prob=1.0)), keep_edges=0.0)
    out = perturb(image, keys(4))
    assert not torch.equal(out.reflectance, out.new_reflectance)
    before, after = (x.flatten(2).sort().values for x in (out.reflectance, out.new_reflectance))
    assert torch.equal(before, after)


def test_blend_shows_another_reflectance():
    image = scenes(2)
    kinds = only(blend=dict(prob=1.0, strength=(1.0, 1.0)))
    perturb = RetinexTexturePerturbation(kinds=kinds, keep_edges=0.0)
    out = perturb(image, keys(2))
    full = (out.mask > 1 - 1e-6).expand_as(image)
    assert full.any()
    for b in range(2):
        values = out.new_reflectance[b][full[b]]
        # what shows are values of the image's own reflectance from elsewhere
        own = out.reflectance[b].flatten().sort().values
        near = own[torch.searchsorted(own, values).clamp(max=len(own) - 1)]
        assert (near - values).abs().max() < 1e-3
        assert (out.reflectance[b][full[b]] - values).abs().mean() > 0.05


def light_change(image, out, sigma):
    """Mean |log L(I+) - log L(I)| per sample."""
    before, after = (retinex_split(x, sigma)[0].log() for x in (image, out.image))
    return (after - before).abs().mean((1, 2, 3))


@pytest.mark.parametrize(('shape', 'seeds'), [((96, 320), 6), ((192, 640), 1)])
def test_illumination_stays_unless_asked(shape, seeds):
    """The light estimated from I+ is that of I within 10 %, half of what colour jitter does (20 %).

    It is not exact: the low-pass of a low-pass is not itself, so texture as large as the filter
    leaves a rest, and clipping takes some.
    """
    image, sigma = scenes(8, shape), 24 * shape[1] / 640
    calm, wild, pixel = [], [], []
    for seed in range(seeds):
        key = keys(8, seed)
        out = RetinexTexturePerturbation(kinds=dict(light=None), share=(0.6, 0.6))(image, key)
        assert torch.equal(out.illumination, out.new_illumination)
        calm.append(light_change(image, out, sigma))
        pixel.append((out.image - image).abs().mean((1, 2, 3)) / image.mean((1, 2, 3)))
        out = RetinexTexturePerturbation(kinds=dict(light=dict(prob=1.0)))(image, key)
        assert not torch.equal(out.illumination, out.new_illumination)
        # local: at least 40 % of the image keep their light
        changed = (out.illumination != out.new_illumination).float().mean((1, 2, 3))
        assert changed.max() <= 0.6 and changed.max() > 0.05
        wild.append(light_change(image, out, sigma))
    calm, wild, pixel = torch.cat(calm), torch.cat(wild), torch.cat(pixel)
    assert calm.max() < 0.1
    assert wild.mean() > 2 * calm.mean()
    assert pixel.mean() > 3 * calm.mean()


def test_strict_changes_no_light_and_fills_with_no_lowpass():
    image, key = scenes(8), keys(8)
    strict, whole = (RetinexTexturePerturbation(kinds=k)(image, key) for k in (STRICT, {}))
    assert torch.equal(strict.illumination, strict.new_illumination)
    # the same patches, and in them nothing but another fill
    assert torch.equal(strict.mask, whole.mask)
    never = dict(missing=dict(lowpass_prob=0.0), light=dict(prob=0.0))
    assert torch.equal(strict.image, RetinexTexturePerturbation(kinds=never)(image, key).image)
    assert not torch.equal(strict.new_reflectance, whole.new_reflectance)


def gradient_correlation(a, b, where):
    gradients = []
    for image in (a, b):
        grey = gaussian_lowpass(image.mean(1, keepdim=True), 1.0)
        both = torch.cat([grey.diff(dim=3)[:, :, 1:], grey.diff(dim=2)[..., 1:]], 1)
        gradients.append(both[where[:, :, 1:, 1:].expand_as(both)])
    return F.cosine_similarity(*gradients, dim=0)


def test_strong_edges_survive():
    image = scenes(8)
    where = strong_edges(image, 1.0, 0) > 0.5
    everywhere = torch.ones_like(where)
    kept, lost, all_ = [], [], []
    for seed in range(5):
        for keep, results in ((0.8, kept), (0.0, lost)):
            perturb = RetinexTexturePerturbation(STRICT, share=(0.6, 0.6), keep_edges=keep)
            out = perturb(image, keys(8, seed))
            results.append(gradient_correlation(image, out.image, where))
            # outside the masks gradients are the same
            outside = F.max_pool2d(out.mask, 9, 1, 4) == 0
            assert gradient_correlation(image, out.image, outside) > 1 - 1e-5
        all_.append(gradient_correlation(image, out.image, everywhere))
    assert torch.stack(kept).min() > 0.95
    assert torch.stack(kept).mean() > torch.stack(lost).mean() + 0.05


def test_no_corruption_of_the_benchmark_is_imitated():
    """Global statistics: no noise, no brightness over the image as a whole."""
    image, key = scenes(8), keys(8)
    out = RetinexTexturePerturbation()(image, key)
    mean_change = (out.image.mean((1, 2, 3)) / image.mean((1, 2, 3))).log().abs()
    # the mildest brightness corruption adds 0.1, about 25 % of the mean of a street
    assert mean_change.median() < 0.1

    def fine(x):
        return (x - gaussian_lowpass(x, 1.0)).abs().mean((1, 2, 3))

    # noise would raise the fine detail; masked patches only lose it
    missing = RetinexTexturePerturbation(kinds=only(missing=dict(prob=1.0)))(image, key)
    assert (fine(missing.image) < fine(image)).all()


def test_gradients_stay_out():
    image = scenes(2).requires_grad_()
    assert not RetinexTexturePerturbation()(image, keys(2)).image.requires_grad


def test_on_real_streets(mmscd_data):
    import cv2

    folder = 'kitti_raw/2011_09_26/2011_09_26_drive_0095_sync/image_02/data'
    files = sorted((mmscd_data / folder).glob('*.jpg'))[::45]
    frames = [cv2.resize(cv2.imread(str(f))[..., ::-1], (320, 96)) for f in files]
    image = torch.stack([torch.from_numpy(f.copy()) for f in frames]).permute(0, 3, 1, 2) / 255
    where = strong_edges(image, 1.0, 0) > 0.5
    assert 0.005 < where.float().mean() < 0.1
    for seed in range(4):
        out = RetinexTexturePerturbation(STRICT)(image, keys(len(image), seed))
        assert (out.illumination * out.reflectance - image).abs().max() < 1e-6
        assert light_change(image, out, 12.0).max() < 0.1
        assert gradient_correlation(image, out.image, where) > 0.95


def test_everything_is_drawn_at_once_and_read(monkeypatch):
    """Numbers that nothing reads, or a second call, would be kernels for nothing."""
    calls, read = [], set()

    def spy(key, counts):
        calls.append(dict(counts))
        return uniform_many(key, counts)

    def note(self, name):
        read.add(name)
        return self.known[name]

    monkeypatch.setattr(draws_module, 'uniform_many', spy)
    monkeypatch.setattr(draws_module.Draws, '__call__', note)
    RetinexTexturePerturbation(dict(light=dict(prob=1.0)))(scenes(2), keys(2))
    assert len(calls) == 1
    assert {name.split('_')[-1] for name in calls[0]} == read | {'mix'}

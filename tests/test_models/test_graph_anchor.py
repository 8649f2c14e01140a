"""What the anchor is for: with it a graph that says nothing is a bad one (planted classes)."""

import pytest
import torch

from mmscd.models.distillers import GraphPair, GraphProjections, ModelGraph
from mmscd.models.distillers.graph_diagnostics import same_class_mass
from mmscd.registry import DISTILL_LOSSES

TERMS = ('EdgeKL', 'NodeCosine', 'Anchor')


def make_pair(student, teacher, projections):
    return GraphPair(
        ModelGraph(student, projections.student_in, projections),
        ModelGraph(teacher, projections.teacher_in, projections),
    )


def planted(seed=0, count=60, classes=6, noise=0.7):
    """Maps of two models whose vertices belong to the same classes, and the classes."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (4, count), generator=g)
    centres = torch.Generator().manual_seed(99)
    maps = []
    for channels in (24, 32):
        centre = torch.randn(classes, channels, generator=centres)
        maps.append(centre[labels] + noise * torch.randn(4, count, channels, generator=g))
    return *maps, labels


@pytest.fixture(scope='module')
def trained():
    """Projections and losses after 150 steps of edge + node + anchor on planted classes."""
    torch.manual_seed(0)
    widths = dict(student_channels=24, teacher_channels=32, dim=16, loss_weight=1.0)
    projections = GraphProjections(24, 32, 16)
    losses = {n: DISTILL_LOSSES.build(dict(type=f'{n}Loss', **widths)) for n in TERMS}
    parameters = [*projections.parameters(), *losses['Anchor'].parameters()]
    optimizer = torch.optim.Adam(parameters, 3e-3)
    for step in range(150):
        student, teacher, _ = planted(step + 1)
        pair = make_pair(student, teacher, projections)
        total = sum(loss(pair) for loss in losses.values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    return projections, losses


@torch.no_grad()
def test_shrinking_the_edges_pays_in_the_edge_loss_but_not_in_the_total(trained):
    projections, losses = trained
    student, teacher, _ = planted()

    def values():
        pair = make_pair(student, teacher, projections)
        return {name: loss(pair).item() for name, loss in losses.items()}

    before = values()
    backup = {k: v.clone() for k, v in projections.state_dict().items()}
    for layer in (projections.query, projections.key):
        layer.weight.mul_(0.1)
    after = values()
    projections.load_state_dict(backup)
    assert after['EdgeKL'] < 0.05 * before['EdgeKL']
    assert sum(after.values()) > 1.2 * sum(before.values())


@torch.no_grad()
def test_edges_find_the_classes_of_new_samples(trained):
    student, teacher, labels = planted()
    pair = make_pair(student, teacher, trained[0])
    for rows in (pair.teacher.adjacency, pair.student.adjacency, pair.inter):
        mass, chance = same_class_mass(rows, labels)
        assert mass > 3 * chance
    assert chance.item() == pytest.approx(1 / 6, abs=0.03)

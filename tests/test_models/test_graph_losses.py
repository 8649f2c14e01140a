"""The graph and its losses: against loops, gradients, and the collapse that the anchor prevents."""

import math

import pytest
import torch

from mmscd.models.distillers import GraphPair, GraphProjections, ModelGraph, vec
from mmscd.models.distillers.graph_diagnostics import entropy, same_class_mass, self_mass
from mmscd.models.distillers.isomorphic_graph import log_edges, resize_map
from mmscd.registry import DISTILL_LOSSES

WIDTHS = dict(student_channels=5, teacher_channels=7, dim=4)
ALL = ['EdgeKL', 'NodeCosine', 'InterNode', 'Anchor', 'PairwiseSimilarity', 'ChannelWiseKL']
TAU = 0.7


def make(name, **kwargs):
    torch.manual_seed(3)
    return DISTILL_LOSSES.build(dict(type=f'{name}Loss', **{**WIDTHS, **kwargs})).double()


def make_pair(student=None, teacher=None, projections=None, tau=TAU):
    g = torch.Generator().manual_seed(0)
    student = torch.randn(2, 6, 5, generator=g).double() if student is None else student
    teacher = torch.randn(2, 6, 7, generator=g).double() if teacher is None else teacher
    if projections is None:
        torch.manual_seed(1)
        projections = GraphProjections(student.shape[-1], teacher.shape[-1], 4).double()
        for p in projections.parameters():
            torch.nn.init.normal_(p)
    return GraphPair(
        ModelGraph(student, projections.student_in, projections, tau),
        ModelGraph(teacher, projections.teacher_in, projections, tau),
    )


# ---- a reference of loops over samples, vertices and channels


def layer_norm(x):
    mean = sum(x) / len(x)
    var = sum((v - mean) ** 2 for v in x) / len(x)
    return [(v - mean) / math.sqrt(var + 1e-5) for v in x]


def times(x, weight):
    return [sum(v * w for v, w in zip(x, row, strict=True)) for row in weight]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def rows_of(queries, keys):
    rows = []
    for i, q in enumerate(queries):
        scores = [dot(q, k) / (TAU * math.sqrt(len(q))) for k in keys]
        total = sum(math.exp(s) for j, s in enumerate(scores) if j != i)
        rows.append([0.0 if j == i else math.exp(s) / total for j, s in enumerate(scores)])
    return rows


def gather(rows, values):
    return [
        [sum(w * v[c] for w, v in zip(row, values, strict=True)) for c in range(len(values[0]))]
        for row in rows
    ]


def cosine(a, b):
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def square(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / len(a)


def reference(name, loss, pair, sample):
    """The loss of one sample."""
    student, teacher = pair.student.features[sample], pair.teacher.features[sample]
    student, teacher = student.tolist(), teacher.tolist()
    count = len(student)
    if name == 'PairwiseSimilarity':
        cells = [(i, j) for i in range(count) for j in range(count)]
        differences = [
            cosine(student[i], student[j]) - cosine(teacher[i], teacher[j]) for i, j in cells
        ]
        return sum(d * d for d in differences) / len(cells)
    if name == 'ChannelWiseKL':
        student = [times(x, loss.align.weight.tolist()) for x in student]
        total, channels = 0, len(teacher[0])
        for c in range(channels):
            s, t = ([math.exp(x[c] / loss.tau) for x in rows] for rows in (student, teacher))
            for i in range(count):
                p, q = t[i] / sum(t), s[i] / sum(s)
                total += p * math.log(p / q)
        return loss.tau**2 * total / channels
    weights = {n: p.tolist() for n, p in pair.student._shared.named_parameters()}
    xs = [layer_norm(times(x, weights['student_in.weight'])) for x in student]
    xt = [layer_norm(times(x, weights['teacher_in.weight'])) for x in teacher]
    qs, ks, vs = ([times(x, weights[f'{n}.weight']) for x in xs] for n in ('query', 'key', 'value'))
    qt, kt, vt = ([times(x, weights[f'{n}.weight']) for x in xt] for n in ('query', 'key', 'value'))
    rows_s, rows_t, rows_st = rows_of(qs, ks), rows_of(qt, kt), rows_of(qs, kt)
    if name == 'EdgeKL':
        total = 0
        for i in range(count):
            for j in range(count):
                if i != j:
                    total += rows_t[i][j] * math.log(rows_t[i][j] / rows_s[i][j])
        return total / count
    zs, zt, zst = gather(rows_s, vs), gather(rows_t, vt), gather(rows_st, vt)
    if name in ('NodeCosine', 'InterNode'):
        own = zs if name == 'NodeCosine' else zst
        return sum(1 - cosine(a, b) for a, b in zip(own, zt, strict=True)) / count
    target = [layer_norm(x) for x in teacher]
    head = loss.head.weight.tolist(), loss.head.bias.tolist()
    rebuilt = [[a + b for a, b in zip(times(v, head[0]), head[1], strict=True)] for v in vt]
    total = 0
    for guess in (gather(rows_t, target), gather(rows_st, target), rebuilt):
        total += sum(square(a, b) for a, b in zip(guess, target, strict=True)) / count
    return total


@pytest.mark.parametrize('name', ALL)
def test_losses_equal_loops(name):
    loss, pair = make(name, loss_weight=0.3), make_pair()
    expected = 0.3 * sum(reference(name, loss, pair, b) for b in range(2)) / 2
    assert expected > 1e-3
    value = loss(pair)
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(expected, abs=1e-10, rel=1e-10)


@pytest.mark.parametrize('name', ALL)
def test_gradcheck(name):
    """Losses have true gradients where no stop-gradient is meant: the student's side."""
    loss, pair = make(name), make_pair()
    projections = pair.student._shared

    def compute(student):
        return loss(make_pair(student, pair.teacher.features, projections))

    assert torch.autograd.gradcheck(compute, pair.student.features.clone().requires_grad_())


def test_anchor_gradcheck_of_the_graph_itself():
    loss, pair = make('Anchor'), make_pair()
    projections = pair.student._shared
    weights = [p.detach().clone().requires_grad_() for p in projections.parameters()]
    names = [name for name, _ in projections.named_parameters()]

    def compute(*values):
        state = dict(zip(names, values, strict=True))
        holder = GraphProjections(5, 7, 4).double()
        for name, value in state.items():
            layer = getattr(holder, name.split('.')[0])
            del layer.weight
            layer.weight = value
        return loss(make_pair(pair.student.features, pair.teacher.features, holder))

    assert torch.autograd.gradcheck(compute, weights)


def test_rows_sum_to_one_and_nothing_is_its_own_neighbour():
    pair = make_pair()
    for rows in (pair.student.adjacency, pair.teacher.adjacency, pair.inter):
        assert torch.allclose(rows.sum(-1), torch.ones(2, 6).double(), atol=1e-12)
        assert (rows.diagonal(dim1=1, dim2=2) == 0).all()
        assert (rows >= 0).all()
    single = make_pair(*(torch.randn(2, 480, c) * 30 for c in (5, 7)), GraphProjections(5, 7, 4))
    for rows in (single.student.adjacency, single.teacher.adjacency, single.inter):
        assert rows.dtype == torch.float32
        assert torch.allclose(rows.sum(-1), torch.ones(2, 480), atol=1e-5)


def test_equal_graphs_have_no_edge_and_no_node_loss():
    features = torch.randn(2, 6, 5).double()
    pair = make_pair(features, features, GraphProjections(5, 5, 4).double())
    pair.student._shared.teacher_in.weight.data.copy_(pair.student._shared.student_in.weight)
    assert make('EdgeKL')(pair).item() == 0
    assert abs(make('NodeCosine')(pair).item()) < 1e-12
    assert make('PairwiseSimilarity')(pair).item() == 0
    assert make('ChannelWiseKL', student_channels=5, teacher_channels=5)(pair).item() == 0
    assert make('EdgeKL')(make_pair()).item() > 1e-3


@pytest.mark.parametrize('name', ALL)
def test_order_of_vertices_does_not_matter(name):
    loss, pair = make(name), make_pair()
    student, teacher, projections = pair.student.features, pair.teacher.features, None
    projections = pair.student._shared
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    both = loss(make_pair(student[:, order], teacher[:, order], projections))
    assert both.item() == pytest.approx(loss(pair).item(), rel=1e-12)
    if name != 'PairwiseSimilarity':
        one = loss(make_pair(student[:, order], teacher, projections))
        assert abs(one.item() - loss(pair).item()) > 1e-6


TRAINS = dict(  # name: does it reach student and P_s, P_t, W_q, W_k, W_v
    EdgeKL=(1, 0, 1, 1, 0), NodeCosine=(1, 0, 1, 1, 1), InterNode=(1, 1, 1, 1, 1),
    Anchor=(1, 1, 1, 1, 1), PairwiseSimilarity=(1, 0, 0, 0, 0), ChannelWiseKL=(1, 0, 0, 0, 0),
)  # fmt: skip


@pytest.mark.parametrize('name', ALL)
def test_gradients_go_where_the_table_says(name):
    pair = make_pair(torch.randn(2, 6, 5).double().requires_grad_())
    teacher_map = pair.teacher.features.requires_grad_()
    shared = pair.student._shared
    make(name)(pair).backward()
    layers = [shared.teacher_in, shared.query, shared.key, shared.value]
    reached = [pair.student.features.grad, *(layer.weight.grad for layer in layers)]
    assert tuple(int(g is not None and bool(g.any())) for g in reached) == TRAINS[name]
    if name in ('EdgeKL', 'NodeCosine', 'PairwiseSimilarity', 'ChannelWiseKL'):
        assert teacher_map.grad is None


def test_diagnostics_by_hand():
    scores = torch.tensor([[[1.0, 0.0, 2.0], [0.0, 3.0, 0.0], [5.0, 1.0, 1.0]]]).double()
    rows = log_edges(scores).exp()
    e = math.exp
    assert rows[0, 0].tolist() == pytest.approx([0, 1 / (1 + e(2)), e(2) / (1 + e(2))])
    assert rows[0, 1].tolist() == pytest.approx([0.5, 0, 0.5])
    own = [e(1) / (e(1) + 1 + e(2)), e(3) / (e(3) + 2), e(1) / (e(5) + 2 * e(1))]
    assert self_mass(scores)[0].tolist() == pytest.approx(own)
    high = 1 / (1 + e(2))
    bits = -(high * math.log(high) + (1 - high) * math.log(1 - high)) / math.log(2)
    assert entropy(log_edges(scores))[0].tolist()[:2] == pytest.approx([bits, 1.0])
    # vertex 1 has no labelled neighbour of its class, vertex 3 has no label
    rows = torch.tensor([[0, 0.1, 0.3, 0.6], [0.2, 0, 0.5, 0.3], [0.9, 0.1, 0, 0], [1, 0, 0, 0]])
    mass, chance = same_class_mass(rows[None], torch.tensor([[0, 1, 0, 255]]))
    assert mass.item() == pytest.approx((0.3 / 0.4 + 0 + 0.9) / 3)
    assert chance.item() == pytest.approx((0.5 + 0 + 0.5) / 3)


def test_maps_come_to_the_grid():
    rising = torch.arange(24.0).reshape(1, 1, 4, 6)
    half = resize_map(rising, (2, 3))
    assert half[0, 0, 0, 0] == (0 + 1 + 6 + 7) / 4
    assert torch.equal(resize_map(rising, (4, 6)), rising)
    finer = resize_map(rising, (8, 12))
    assert finer[0, 0, 3, 3].item() == pytest.approx(1 * 6 + 0.25 * 6 + 1 + 0.25)
    vertices = vec(torch.arange(48.0).reshape(1, 2, 4, 6))
    assert vertices.shape == (1, 24, 2)
    assert vertices[0, 7].tolist() == [7, 31]

"""The graph on real labelled frames with the real teacher: the anchor makes edges mean something.

Numbers of one run (seed 0) stand beside the asserts, which leave room.
"""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmscd.models import IsomorphicGraphDistiller, ResNetEncoder
from mmscd.models.distillers.graph_diagnostics import entropy, same_class_mass, self_mass
from mmscd.models.distillers.isomorphic_graph import resize_map
from mmscd.models.outputs import StepOutputs
from mmscd.registry import TEACHERS

SIZE = (320, 96)  # width, height
TEACHER = 'weights/teacher_fpn_r18_road_semantics'
TAP = dict(module='backbone', index=2, channels=256, stride=16)
TERMS = ('Edge', 'Node', 'Anchor')
TYPES = dict(Edge='EdgeKLLoss', Node='NodeCosineLoss', Anchor='AnchorLoss')
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def read_frames(root, split, step):
    """Images (M, 3, H, W) in [0, 1], and labels (M, N) of the graph's cells, 255 unknown."""
    grid, images, labels = (SIZE[1] // 16, SIZE[0] // 16), [], []
    files = sorted((root / 'road_semantics/images' / split).iterdir())
    if not files:
        pytest.skip('real data: no road_semantics in MMSCD_DATA')
    for file in files[::step]:
        image = cv2.resize(cv2.imread(str(file))[..., ::-1], SIZE, interpolation=cv2.INTER_AREA)
        images.append(torch.from_numpy(image.copy()).permute(2, 0, 1) / 255)
        label = root / 'road_semantics/labels' / split / f'{file.stem}.png'
        label = torch.from_numpy(cv2.imread(str(label), -1).astype(np.int64))
        shares = F.one_hot(label.clamp(max=19), 20).permute(2, 0, 1)[None].double()
        cell = resize_map(shares, grid).argmax(1).flatten()
        labels.append(torch.where(cell == 19, 255, cell))
    return torch.stack(images), torch.stack(labels)


@pytest.fixture(scope='module')
def real(mmscd_data):
    """Distiller, maps of both models on training frames and on others, labels of the others."""
    pytest.importorskip('mmseg')
    teacher_cfg = dict(
        type='MMSegTeacher', config=str(mmscd_data / f'{TEACHER}.py'),
        checkpoint=str(mmscd_data / f'{TEACHER}.pth'), taps=[TAP],
    )  # fmt: skip
    losses = {name: dict(type=TYPES[name], loss_weight=1.0) for name in TERMS}
    torch.manual_seed(0)
    student_tap = dict(module='', index=3, channels=256, stride=16)
    distiller = IsomorphicGraphDistiller([student_tap], teacher_cfg, losses)
    teacher = TEACHERS.build(teacher_cfg)
    teacher.probe(SIZE[1], SIZE[0])
    distiller.attach_teacher(teacher)
    weights = mmscd_data / 'weights/resnet18_imagenet_derived_fp16.pth'
    encoder = ResNetEncoder(18, init_cfg=dict(type='Pretrained', checkpoint=str(weights)))
    encoder.init_weights()
    encoder.train()  # the running statistics of these weights are foreign
    sets = {}
    for split, step in (('train', 5), ('val', 1)):
        images, labels = read_frames(mmscd_data, split, step)
        outputs = StepOutputs(target=images)
        with torch.no_grad(), distiller.recording(encoder, 'clean', outputs.student_feats):
            encoder((images - MEAN) / STD)
        distiller.run_teacher(outputs)
        sets[split] = replace(outputs, extras=dict(labels=labels))
    return distiller, sets


def part_of(outputs, index):
    return StepOutputs(
        target=outputs.target[index],
        student_feats=dict(clean=[m[index] for m in outputs.student_feats['clean']]),
        teacher=dict(feats=[m[index] for m in outputs.teacher['feats']], logits=None),
    )


def train(distiller, outputs, steps=150, lr=3e-3):
    """The graph on fixed maps of both models: edge + node + anchor, all of weight 1."""
    g = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(distiller.parameters(), lr)
    distiller.diagnose = False
    for _ in range(steps):
        index = torch.randperm(len(outputs.target), generator=g)[:6]
        losses = distiller(part_of(outputs, index))
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()


def far_class_mass(rows, labels):
    """`same_class_mass` of what lies outside of the 3x3 cells around a vertex: neighbours in the
    image mostly are of the same class, so that any local graph is far better than chance."""
    cells, columns = torch.arange(rows.shape[1]), SIZE[0] // 16
    y, x = cells // columns, cells % columns
    far = ((y[:, None] - y).abs() > 1) | ((x[:, None] - x).abs() > 1)
    mass = same_class_mass(rows * far, labels)[0]
    return mass, same_class_mass(far.expand_as(rows).double(), labels)[0]


@torch.no_grad()
def judge(distiller, outputs):
    ((_, pair),) = distiller.graph_pairs(outputs)
    numbers = {}
    for name, rows in dict(
        t=pair.teacher.adjacency, s=pair.student.adjacency, st=pair.inter
    ).items():
        numbers[name], numbers['chance'] = same_class_mass(rows, outputs.extras['labels'])
        far, numbers['far_chance'] = far_class_mass(rows, outputs.extras['labels'])
        numbers[f'{name}_far'] = far
    numbers['self_mass'] = self_mass(pair.teacher.scores).mean()
    numbers['entropy'] = entropy(pair.teacher.log_adjacency).mean()
    losses = distiller(outputs)
    numbers.update({name: losses[f'loss_distill_{name}'] for name in TERMS})
    numbers['total'] = sum(losses.values())
    return {name: value.item() for name, value in numbers.items()}


@pytest.mark.slow
def test_edges_find_the_classes_and_shrinking_them_does_not_pay(real, capsys):
    distiller, sets = real
    start = judge(distiller, sets['val'])
    train(distiller, sets['train'])
    end = judge(distiller, sets['val'])
    for layer in ('query', 'key'):
        with torch.no_grad():
            getattr(distiller.graphs[0].projections, layer).weight.mul_(0.1)
    shrunk = judge(distiller, sets['val'])
    with capsys.disabled():
        for title, numbers in (('start', start), ('trained', end), ('shrunk', shrunk)):
            print(f'\n{title:8}', *(f'{k} {v:.3f}' for k, v in numbers.items()), end='')
    for rows in ('t', 's', 'st'):  # 2.50, 2.42, 2.27 times
        assert end[rows] > 2 * end['chance'], rows
    assert end['t_far'] > 2 * end['far_chance']  # 2.2 times
    assert end['entropy'] < 0.6  # 0.38, at the start 0.80
    assert end['Anchor'] < 0.6 * start['Anchor']  # 1.10, 2.72
    assert shrunk['Edge'] < 0.05 * end['Edge']  # 2e-5 or so, 0.52
    assert shrunk['total'] > 1.1 * end['total']  # 2.25, 1.82
    assert shrunk['t'] < 1.2 * shrunk['chance']

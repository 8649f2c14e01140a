"""Predictions, ground truth, tables, logs, images: what the evaluation and the reports read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from readers import add, call
from readers_of_cameras import CAMERA, CONVERTERS
from readers_of_data import DEPTH
from tiny import ROOT, make_config, make_kitti, picture, write_image, write_text

from mmscd.evaluation.error_classes import LabelFolder
from mmscd.evaluation.predictors import DepthMap
from mmscd.inference.inputs import FrameReader

TOOLS = 'tools/analysis_tools'
SHAPE = (64, 96)
FEW = ('--corruptions', 'fog', '--severities', '1', '--workers', '0', '--name', 'm')


def depths(count: int = 2) -> np.ndarray:
    """Predictions that are not constant."""
    return np.random.default_rng(0).uniform(2, 20, (count, *SHAPE)).astype(np.float32)


def predictions(folder: Path) -> None:
    """Of two images, with their ground truth."""
    kitti = make_kitti(folder / 'kitti', 3)
    words = ('--data-root', kitti, '--split', kitti / 'test.txt', '--gt', 'improved')
    call(f'{CONVERTERS}/prepare_kitti_raw.py', 'export-gt', *words, '--out', folder / 'gt.npz')
    np.save(folder / 'p.npy', depths())
    frames = [f'{i:010d}.png' for i in (0, 1)]
    np.savez(folder / 'p.npz', pred=depths(), frames=np.array(frames))
    for frame, depth in zip(frames, depths(), strict=True):
        write_text(folder / 'maps' / f'{frame[:-4]}.npy', '')
        np.save(folder / 'maps' / f'{frame[:-4]}.npy', depth)
        write_image(folder / 'truth' / frame, DEPTH)
    write_text(folder / 'conditions.txt', '0000000000 rain\n0000000001 night dark\n')
    for number in (1, 2):
        np.save(folder / 'q.npy', depths() * number)
        judge('q.npy', '--out', f'results{number}.json')(folder)


def judge(pred: str, *options: str, truth: str = 'gt.npz') -> Callable[[Path], Any]:
    """offline_eval.py of a file in the folder; options with a dot are files of it."""

    def read(folder: Path) -> Any:
        words = [folder / word if '.' in word else word for word in options]
        kind = ('--kind', 'depth', '--gt-file', folder / truth)
        found = call(f'{TOOLS}/offline_eval.py', folder / pred, *kind, *words)
        # NaN is right where the tool says that it counted predictions that are not finite
        return 0 if found.get('n_not_finite') else found['abs_rel']

    return read


def compare(folder: Path) -> Any:
    """compare_results.py of two files."""
    return call(f'{TOOLS}/compare_results.py', folder / 'results1.json', folder / 'results2.json')


add('predictions npy', 'npy', predictions, judge('p.npy'), 'p.npy')
add('predictions npz', 'npz', predictions, judge('p.npz'), 'p.npz')
add('predictions of a folder', 'npy', predictions, judge('maps'), 'maps/0000000001.npy')
add('ground truth npz', 'npz', predictions, judge('p.npy', '--edges', '--references'), 'gt.npz')
truth = judge('p.npy', truth='truth')
also = ('p.npy', 'truth: 0000000001: ')  # a map of a folder is named without its suffix
add('ground truth PNG', 'image', predictions, truth, 'truth/*1.png', also=also)
weather = judge('p.npy', '--conditions', 'conditions.txt')
add('conditions', 'text', predictions, weather, 'conditions.txt')
add('results to compare', 'json', predictions, compare, 'results2.json', also=('results1.json',))


def mean_depth(folder: Path) -> None:
    """A map for every image."""
    np.save(folder / 'mean.npy', depths(1)[0])


add('reference map', 'npy', mean_depth, lambda f: DepthMap(f / 'mean.npy')(SHAPE, {}), 'mean.npy')


def labels(folder: Path) -> None:
    """Classes of one image."""
    write_image(folder / 'labels/drive/1.png', np.full(SHAPE, 3, np.uint8))


def read_labels(folder: Path) -> Any:
    """As analyze_errors.py does."""
    found = LabelFolder(folder / 'labels')('x/drive/1.jpg', lambda: picture(), SHAPE)
    assert found.shape == SHAPE
    return found


# a folder in the place of its only image is told as a folder without labels
add('labels', 'image', labels, read_labels, 'labels/drive/1.png', also=('labels holds no labels',))


def images(folder: Path) -> None:
    """A file of each kind."""
    for suffix in ('jpg', 'png', 'bmp', 'ppm', 'tif', 'webp', 'jp2'):
        write_image(folder / f'x.{suffix}', picture())


def read_images(folder: Path) -> Any:
    """As `DepthInferencer` does."""
    return [frame.image for frame in FrameReader([str(f) for f in sorted(folder.glob('x.*'))])]


def film(folder: Path) -> None:
    """Films by name and codec."""
    for name, code in (('a.avi', 'MJPG'), ('b.mp4', 'mp4v')):
        writer = cv2.VideoWriter(str(folder / name), cv2.VideoWriter_fourcc(*code), 10, (96, 64))
        for frame in range(4):
            writer.write(picture(frame))
        writer.release()


def read_film(folder: Path) -> Any:
    """As the video demo does."""
    shapes = [f.image.shape for file in sorted(folder.glob('*.*')) for f in FrameReader(str(file))]
    assert len(set(shapes)) < 3
    return shapes


add('image to predict', 'image', images, read_images, 'x.*')
add('film to predict', 'bytes', film, read_film, '*.avi', '*.mp4')


def scalars(folder: Path) -> None:
    """The log of a training."""
    rows = [dict(step=i, loss=1 / i, time=0.1, lr=1e-4, iter=i) for i in (1, 2, 3)]
    text = '\n'.join(map(json.dumps, [*rows, dict(step=3, abs_rel=0.5, delta1=0.4)]))
    write_text(folder / 'work/20260101_000000/vis_data/scalars.json', text)
    log = '2026/01/01 00:00:0{} - mmengine - INFO - hello\n    GPU 0: X\n'
    write_text(folder / 'work/20260101_000000/20260101_000000.log', log.format(1) + log.format(5))


def read_logs(folder: Path) -> Any:
    """analyze_logs.py and the report's reader."""
    from mmscd.report.training_log import read_training_log

    call(f'{TOOLS}/analyze_logs.py', 'summary', folder / 'work')
    call(f'{TOOLS}/analyze_logs.py', 'plot_curve', folder / 'work', '--out', folder / 'curves.png')
    read_training_log(folder / 'work')


add('scalars of a training', 'jsonl', scalars, read_logs, '**/scalars.json', also=('/work',))
add('text log', 'text', scalars, read_logs, '**/*.log', also=('/work',), sparse=3)


def robustness(folder: Path) -> None:
    """A finished benchmark of random weights."""
    from readers_of_weights import save_weights

    make_kitti(folder / 'kitti', 3)
    config = make_config(folder, folder / 'kitti')
    save_weights(config, folder / 'm.pth')
    go_on(folder)


def go_on(folder: Path, *options: Any) -> Any:
    """test_robustness.py, with what is there already."""
    words = (folder / 'tiny.py', folder / 'm.pth', '--out', folder / 'out')
    return call(f'{TOOLS}/test_robustness.py', *words, *FEW, *options)


def report(folder: Path) -> Any:
    """make_report.py with the comparison of models."""
    words = ('--config', folder / 'tiny.py', '--checkpoint', folder / 'm.pth')
    words += ('--robustness', folder / 'out', '--out', folder / 'report.html')
    return call(f'{TOOLS}/make_report.py', '--work-dir', folder, *words)


def kitti_c(folder: Path) -> None:
    """A set of corrupted images, and a model."""
    robustness(folder)
    write_c(folder)
    passes = list((folder / 'out').rglob('*.json'))
    for path in passes:
        path.unlink()


def write_c(folder: Path) -> Any:
    """make_kitti_c.py."""
    words = ('--data-root', folder / 'kitti', '--split', folder / 'kitti/test.txt')
    words += ('--size', '96x64', '--corruptions', 'fog', '--severities', 1, '--workers', 1)
    return call(f'{CONVERTERS}/make_kitti_c.py', *words, '--out', folder / 'c')


def read_c(folder: Path) -> Any:
    """test_robustness.py --kitti-c."""
    return go_on(folder, '--kitti-c', folder / 'c')


passes = ('/passes/', 'out')
add('robustness pass', 'json', robustness, go_on, 'out/passes/m/*.json', sparse=2)
add('robustness summary', 'json', robustness, report, 'out/summary.json', sparse=2)
add('KITTI-C image', 'image', kitti_c, read_c, 'c/fog/**/*.png', sparse=3)
add('settings of a KITTI-C', 'json', kitti_c, write_c, 'c/kitti_c.json', also=('/c ',), sparse=3)


def ablation(folder: Path) -> None:
    """A table of variants."""
    make_config(folder, folder)
    text = 'plain: []\nslow:\n- train_cfg.max_iters=5\n- model.losses.smoothness.loss_weight=0.1\n'
    write_text(folder / 'table.yml', text)


def plan(folder: Path) -> Any:
    """run_ablation.py --dry-run."""
    words = ('--table', folder / 'table.yml', '--work-dir', folder / 'out', '--seeds', 0)
    names = ('--variants', 'plain', 'slow')
    return call(f'{TOOLS}/run_ablation.py', folder / 'tiny.py', *names, *words, '--dry-run')


add('ablation table', 'yaml', ablation, plan, 'table.yml', also=('option ', '--variant '), sparse=2)


def demo_world(folder: Path) -> None:
    """Labels, and depth to take the mean of."""
    write_image(folder / 'labels.png', np.full(SHAPE, 3, np.uint8))
    make_kitti(folder, 3)


def read_train_ids(folder: Path) -> Any:
    """As the project's train_teacher.py does."""
    sys.path.insert(0, str(ROOT / 'projects/demo_world'))
    from demo_world.seg_dataset import check_labels

    check_labels(folder / 'labels.png', 19)


add('train ids', 'image', demo_world, read_train_ids, 'labels.png', sparse=2)


def points(folder: Path) -> None:
    """A model, a camera and an image."""
    robustness_free(folder)
    write_text(folder / 'camera.yaml', CAMERA)
    write_image(folder / 'x.png', picture())


def robustness_free(folder: Path) -> None:
    """A model alone."""
    from readers_of_weights import save_weights

    make_kitti(folder / 'kitti', 3)
    save_weights(make_config(folder, folder / 'kitti'), folder / 'm.pth')


def cloud(folder: Path) -> Any:
    """image_demo.py --save ply."""
    words = ('--model', folder / 'tiny.py', '--weights', folder / 'm.pth', '--device', 'cpu')
    words += ('--intrinsics', folder / 'camera.yaml', '--save', 'ply', '--out-dir', folder / 'out')
    return call('demo/image_demo.py', folder / 'x.png', *words)


add('camera of a point cloud', 'yaml', points, cloud, 'camera.yaml', sparse=2)
add('image of the demo', 'image', points, cloud, 'x.png', sparse=2)

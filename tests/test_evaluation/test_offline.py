"""offline_eval with other ground truth than KITTI raw: files, folders, names, errors."""

import importlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmscd.datasets.formats.arrays import read_npy
from mmscd.evaluation import evaluate_depth, get_protocol
from mmscd.evaluation.ground_truth_file import GroundTruthFile, write_ground_truth
from mmscd.evaluation.predictors import DepthMap

TOOLS = Path(__file__).parents[2] / 'tools' / 'analysis_tools'
NAMES = [f'day/drive_a/image_02/data/{i:010d}' for i in range(3)]
NAMES += [f'day/drive_b/image_02/data/{i:010d}' for i in (2, 3)]
K = np.array([[50.0, 0, 19.5], [0, 50.0, 11.5], [0, 0, 1]])


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return lambda name: importlib.import_module(name)


def truth_map(i, shape=(24, 40)):
    rng = np.random.default_rng(i)
    return (rng.uniform(2, 60, shape) * (rng.random(shape) < 0.4)).astype(np.float32)


def pred_map(i):
    return np.random.default_rng(50 + i).uniform(1, 40, (24, 40)).astype(np.float32)


@pytest.fixture
def gt_file(tmp_path):
    path = tmp_path / 'gt.npz'
    maps = [(name, truth_map(i, (24 + i, 40)), K) for i, name in enumerate(NAMES)]
    assert write_ground_truth(path, maps) == 5
    return path


def evaluate(tool, tmp_path, pred, *options):
    out = tmp_path / 'out.json'
    tool('offline_eval').main([str(pred), '--out', str(out), *map(str, options)])
    return json.loads(out.read_text())


def expected(preds, truths):
    protocol = get_protocol('default')
    judged = [evaluate_depth(p, t, protocol) for p, t in zip(preds, truths, strict=True)]
    return np.mean([row['abs_rel'] for row in judged])


def test_ground_truth_file_keeps_every_bit(gt_file, tmp_path):
    stored = GroundTruthFile(gt_file)
    assert stored.names == NAMES and len(stored) == 5
    for i in range(5):
        assert (stored.depth(i) == truth_map(i, (24 + i, 40))).all()
        assert (stored.intrinsics(i) == K).all()
    (tmp_path / 'half.npz').write_bytes(gt_file.read_bytes()[:300])
    np.savez(tmp_path / 'other.npz', a=np.zeros(3))
    for name in ('half.npz', 'other.npz'):
        with pytest.raises(ValueError, match=f'{name} cannot be read'):
            GroundTruthFile(tmp_path / name)
    with pytest.raises(FileNotFoundError, match='none.npz'):
        GroundTruthFile(tmp_path / 'none.npz')
    one = ('a', truth_map(0), K)
    for maps, text in (([], 'no ground truth'), ([one, one], "'a'")):
        with pytest.raises(ValueError, match=text):
            write_ground_truth(tmp_path / 'b.npz', maps)
    assert not (tmp_path / 'b.npz').exists()
    with pytest.raises(ValueError, match='npz'):
        write_ground_truth(tmp_path / 'b.npy', [one])


def test_a_png_folder_against_a_folder_of_pngs(tool, tmp_path):
    preds, truths = tmp_path / 'preds', tmp_path / 'gt'
    for i in range(3):
        for folder, values in ((preds, pred_map(i)), (truths, truth_map(i))):
            file = folder / ('x' if folder == truths else '') / f'{i:04d}.png'
            file.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(file), np.round(values * 256).astype(np.uint16))
    options = ['--kind', 'depth', '--gt-file', truths, '--protocol', 'default', '--edges']
    content = evaluate(tool, tmp_path, preds, *options, '--alignment', 'median')
    rounded = [np.round(pred_map(i) * 256) / 256 for i in range(3)]
    known = [np.round(truth_map(i) * 256) / 256 for i in range(3)]
    assert content['summary']['abs_rel'] == pytest.approx(expected(rounded, known), rel=1e-5)
    assert [image['img_path'] for image in content['images']] == [f'x/{i:04d}' for i in range(3)]


@pytest.mark.parametrize('kind', ['folder', 'npz', 'npy'])
def test_names_are_matched_in_any_order_and_stacks_follow_the_file(tool, gt_file, tmp_path, kind):
    stack = np.stack([pred_map(i) for i in range(5)])
    if kind == 'folder':
        pred = tmp_path / 'preds'
        for i, name in enumerate(NAMES):
            file = pred / '/'.join(name.split('/')[1:])
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(file.with_suffix('.npz'), pred=stack[i][None])
    elif kind == 'npz':
        pred = tmp_path / 'preds.npz'
        frames = [f'{name}.png' for name in NAMES]
        np.savez(pred, pred=stack[::-1], frames=frames[::-1])
    else:
        pred = tmp_path / 'preds.npy'
        np.save(pred, stack[:, None])
    conditions = tmp_path / 'conditions.txt'
    conditions.write_text('0 night\n\ndrive_b/image_02/data/2 night rain\n')
    options = ['--kind', 'depth', '--gt-file', gt_file, '--protocol', 'default']
    options += ['--conditions', conditions, '--references', '--bootstrap', 200]
    table = tmp_path / 'table.json'
    content = evaluate(tool, tmp_path, pred, *options, '--table', table)
    from mmscd.evaluation.functional import invert, resize_inverse_depth

    resized = [invert(resize_inverse_depth(1 / stack[i], (24 + i, 40))) for i in range(5)]
    truths = [truth_map(i, (24 + i, 40)) for i in range(5)]
    summary = content['summary']
    assert summary['abs_rel'] == pytest.approx(expected(resized, truths), rel=1e-6)
    chosen = expected([resized[0], resized[3]], [truths[0], truths[3]])
    assert summary['night/abs_rel'] == pytest.approx(chosen, rel=1e-6)
    assert (summary['rain/n_images'], summary['other/n_images']) == (1, 3)
    assert len(json.loads(table.read_text())['rows']) == 1 + 5 + 3


def kitti_truth(root, order):
    """Depth maps of the benchmark for two drives, and a split that names them in an order."""
    lines = []
    for number, i in order:
        drive = root / '2011_09_26' / f'2011_09_26_drive_000{number}_sync'
        for folder in ('image_02/data', 'proj_depth/groundtruth/image_02'):
            file = drive / folder / f'{i:010d}.png'
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), np.round(truth_map(10 * number + i) * 256).astype(np.uint16))
        lines.append(f'2011_09_26/{drive.name} {i} l\n')
    camera = '1.0 0 0 0 0 1.0 0 0 0 0 1 0'.replace('1.0', '50')
    text = f'S_rect_02: 40 24\nR_rect_00: 1 0 0 0 1 0 0 0 1\nP_rect_02: {camera}\n'
    (root / '2011_09_26' / 'calib_cam_to_cam.txt').write_text(text)
    (root / 'split.txt').write_text(''.join(lines))
    return ['--data-root', root, '--split', root / 'split.txt', '--gt', 'improved']


@pytest.mark.parametrize(
    'named',
    [
        '2011_09_26_drive_{0:04d}_sync/{1:010d}',
        '2011_09_26/2011_09_26_drive_{0:04d}_sync/image_02/data/{1}',
        '2011_09_26_drive_{0:04d}_sync_image_{1:010d}_image_02',
        '2011_09_26_drive_{0:04d}_sync_{1:010d}',
        None,
    ],
)
def test_predictions_of_a_split_by_name_or_in_natural_order(tool, tmp_path, named):
    order = [(2, 3), (1, 4), (2, 1), (1, 3), *((1, i) for i in range(20, 28))]
    options = [*kitti_truth(tmp_path / 'kitti', order), '--protocol', 'default']
    for place, (number, i) in enumerate(order):
        name = named.format(number, i) if named else f'{place}'
        file = tmp_path / 'preds' / f'{name}.npy'
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, pred_map(10 * number + i))
    content = evaluate(tool, tmp_path, tmp_path / 'preds', '--kind', 'depth', *options)
    known = [np.round(truth_map(10 * n + i) * 256) / 256 for n, i in order]
    right = expected([pred_map(10 * n + i) for n, i in order], known)
    assert content['summary']['abs_rel'] == pytest.approx(right, rel=1e-5)
    if named:
        other = tmp_path / 'preds' / f'{named.format(1, 99)}.npy'
        other.write_bytes(file.read_bytes())
        with pytest.raises(SystemExit, match='1 of 13 predictions have no image with ground truth'):
            evaluate(tool, tmp_path, tmp_path / 'preds', '--kind', 'depth', *options)


def test_predictions_of_another_shape_are_told_once(tool, gt_file, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr('mmscd.evaluation.offline.print_log', lambda text, *_: said.append(text))
    np.save(tmp_path / 'p.npy', np.stack([pred_map(i)[:20] for i in range(5)]))
    evaluate(tool, tmp_path, tmp_path / 'p.npy', '--kind', 'depth', '--gt-file', gt_file)
    assert [text for text in said if 'predictions are 40x20, the truth is 40x24' in text] == said[
        1:
    ]


def test_where_a_depth_camera_saw_nothing_is_no_truth(tool, tmp_path):
    for folder in ('preds', 'gt'):
        (tmp_path / folder).mkdir()
    known = np.round(truth_map(0) * 256).astype(np.uint16)
    pred = np.round(pred_map(0) * 256).astype(np.uint16)
    pred[:, :9] = 65535  # far, at the end of the range
    cv2.imwrite(str(tmp_path / 'preds/0.png'), pred)
    cv2.imwrite(str(tmp_path / 'gt/0.png'), np.where(known == 0, 65535, known).astype(np.uint16))
    options = ['--kind', 'depth', '--gt-file', tmp_path / 'gt', '--protocol', 'default']
    content = evaluate(tool, tmp_path, tmp_path / 'preds', *options, '--max-depth', 300)
    judged = evaluate_depth(
        pred / 256, known / 256, get_protocol(dict(preset='default', max_depth=300))
    )
    for key in ('abs_rel', 'n_pixels', 'n_unusable'):
        assert content['images'][0][key] == pytest.approx(judged[key], rel=1e-5)


def test_one_sentence_for_what_is_wrong(tool, gt_file, tmp_path):
    def fails(pred, *options, gt=gt_file):
        with pytest.raises(SystemExit) as caught:
            options = ('--kind', 'depth', '--gt-file', str(gt), *map(str, options))
            tool('offline_eval').main([str(pred), *options])
        text = str(caught.value)
        assert text.startswith('error: ') and '\n' not in text
        return text

    stack = np.stack([pred_map(i) for i in range(5)])
    folder = tmp_path / 'preds'
    folder.mkdir()
    assert 'holds no file' in fails(folder)
    for i in range(3):
        assert cv2.imwrite(str(folder / f'{i}.png'), np.full((4, 5), 7, np.uint8))
    # frame 2 is in two drives
    assert (
        "1 of 3 predictions have no image with ground truth, or their names fit several: ['2"
        in (fails(folder))
    )
    (folder / '2.png').unlink()
    assert '0.png must be a single-channel 16-bit PNG' in fails(folder)
    (folder / '0.png').write_bytes(b'')
    assert '0.png is empty' in fails(folder)
    (folder / '00.npy').write_bytes(b'')
    assert 'comes twice' in fails(folder)
    (folder / '0.png').unlink()
    assert '00.npy cannot be read' in fails(folder)
    np.save(tmp_path / 'four.npy', stack[:4])
    assert '4 predictions, but 5 images' in fails(tmp_path / 'four.npy')
    np.save(tmp_path / 'flat.npy', stack[0])
    assert 'expected maps of shape (N, h, w), got (24, 40)' in fails(tmp_path / 'flat.npy')
    np.save(tmp_path / 'objects.npy', np.array([1, None]))
    maps = np.array([np.ones((4, 6), np.float32), np.ones((5, 6), np.float32)], object)
    np.savez(tmp_path / 'objects.npz', data=maps)
    for name in ('objects.npy', 'objects.npz'):
        text = fails(tmp_path / name)
        assert f'{name} cannot be read (it holds Python objects' in text
        assert 'store one array of numbers, maps as (N, h, w), or a file per image' in text
        with pytest.raises(OSError, match=f'{name} cannot be read .it holds Python objects'):
            DepthMap(tmp_path / name) if name[-1] == 'y' else read_npy(tmp_path / name, '', 'data')
    text = fails(tmp_path / 'four.npy', gt=tmp_path / 'objects.npz')
    assert 'objects.npz cannot be read' in text and 'export-gt' in text
    np.savez(tmp_path / 'two.npz', a=stack, b=stack)
    assert '--key' in fails(tmp_path / 'two.npz')
    assert 'does not exist' in fails(tmp_path / 'none.npy')
    np.save(tmp_path / 'five.npy', stack)
    assert 'disp must lie in [0, 1]' in fails(tmp_path / 'five.npy', '--kind', 'disp')
    conditions = tmp_path / 'conditions.txt'
    conditions.write_text('0\n')
    assert 'conditions.txt:1' in fails(tmp_path / 'five.npy', '--conditions', conditions)
    conditions.write_text('0 day\n1 day/night\n')
    text = fails(tmp_path / 'five.npy', '--conditions', conditions)
    assert "conditions.txt:2: the condition 'day/night' has a slash" in text
    conditions.write_text('9 night\n')
    assert 'no image with ground truth' in fails(tmp_path / 'five.npy', '--conditions', conditions)
    assert 'does not exist' in fails(tmp_path / 'five.npy', gt=tmp_path / 'none.npz')
    assert 'json' in fails(tmp_path / 'five.npy', '--out', 'a.txt')
    folder = tmp_path / 'gt'
    folder.mkdir()
    for i in range(5):
        np.save(folder / f'{i}.npy', truth_map(i))
    assert 'needs `K_ori`' in fails(tmp_path / 'five.npy', '--references', gt=folder)
    write_ground_truth(tmp_path / 'far.npz', [(n, np.full((24, 40), 1e9), K) for n in NAMES])
    text = fails(tmp_path / 'five.npy', gt=tmp_path / 'far.npz')
    text = fails(tmp_path / 'five.npy', '--protocol', 'foggy_cityscapes')
    assert f'{gt_file}: {NAMES[0]}: crop (' in text and 'does not fit into' in text
    text = fails(tmp_path / 'five.npy', gt=tmp_path / 'far.npz')
    assert f'{tmp_path}/far.npz: none of 5 images ({NAMES[0]}, ...) has valid' in text
    for option, name in (('--out', 'a.csv'), ('--table', 'a.json'), ('--show-dir', 'a')):
        place = tmp_path / 'five.npy' / 'in a file' / name
        assert 'cannot write to' in fails(tmp_path / 'five.npy', option, place)


def test_edges_are_judged_by_the_protocol_of_the_table(tool, tmp_path):
    depth = np.full((1, 60, 90), 10.0, np.float32)
    depth[..., 40:] = 20
    np.save(tmp_path / 'pred.npy', 100 * depth)  # without the factor all is farther than 80 m
    (tmp_path / 'gt').mkdir()
    np.save(tmp_path / 'gt' / '0.npy', depth[0])
    options = ['--kind', 'depth', '--gt-file', str(tmp_path / 'gt'), '--protocol', 'default']
    options += ['--alignment', 'fixed', '--scale', '0.01', '--edges']
    metrics = tool('offline_eval').main([str(tmp_path / 'pred.npy'), *options])
    assert metrics['abs_rel'] == pytest.approx(0, abs=1e-6)
    assert metrics['edge_completeness'] == 0 and metrics['edge_precision'] == 1


def test_compare_results(tool, gt_file, tmp_path, capsys):
    files = {}
    for name, factor in dict(good=0.2, bad=1.0).items():
        maps = [
            truth_map(i, (24, 40)) * (1 + factor * np.random.default_rng(9 + i).random((24, 40)))
            for i in range(5)
        ]
        np.save(tmp_path / f'{name}.npy', [np.where(m > 0, m, 5) for m in maps])
        same = tmp_path / 'same.npz'
        write_ground_truth(same, [(n, truth_map(i), K) for i, n in enumerate(NAMES)])
        files[name] = tmp_path / f'{name}.json'
        options = ['--kind', 'depth', '--gt-file', str(same), '--out', str(files[name])]
        tool('offline_eval').main([str(tmp_path / f'{name}.npy'), *options])
    out = tmp_path / 'difference.json'
    main = tool('compare_results').main
    main([str(files['bad']), str(files['good']), '--out', str(out), '--names', 'old', 'new'])
    row = json.loads(out.read_text())['differences']['new - old']
    means = [json.loads(files[name].read_text())['summary']['abs_rel'] for name in ('good', 'bad')]
    assert row['abs_rel'] == pytest.approx(means[0] - means[1])
    assert row['abs_rel_low'] <= row['abs_rel'] <= row['abs_rel_high'] < 0
    assert '*' in capsys.readouterr().out
    content = json.loads(files['good'].read_text())
    for change, text in (
        (dict(protocol='another'), 'another protocol'),
        (dict(images=content['images'][1:]), 'different images'),
        (dict(images=3), 'no results per image'),
    ):
        out.write_text(json.dumps(content | change))
        with pytest.raises(SystemExit, match=text):
            main([str(files['bad']), str(out)])
    with pytest.raises(SystemExit, match='does not exist'):
        main([str(files['bad']), str(tmp_path / 'none.json')])

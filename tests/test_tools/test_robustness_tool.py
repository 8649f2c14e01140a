"""The corruption benchmark from its command line, on a tiny set."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmscd.corruptions import corrupt
from mmscd.models import SelfSupervisedDepthEstimator

ROOT = Path(__file__).resolve().parents[2]
FEW = ('--corruptions', 'fog', 'gaussian_noise', '--severities', '1', '5', '--workers', '0')


def load_tool(path):
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    # worker processes find functions by the module's name
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def tool():
    return load_tool('tools/analysis_tools/test_robustness.py')


@pytest.fixture(scope='module')
def converter():
    return load_tool('tools/dataset_converters/make_kitti_c.py')


@pytest.fixture(scope='module')
def checkpoints(tiny_config, tmp_path_factory):
    """Two files of random weights."""
    from mmscd.registry import MODELS
    from mmscd.utils.config import load_config

    folder, paths = tmp_path_factory.mktemp('weights'), []
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = MODELS.build(load_config(str(tiny_config)).model)
        paths.append(folder / f'{seed}.pth')
        torch.save(dict(state_dict=model.state_dict()), paths[-1])
    return paths


@pytest.fixture(autouse=True)
def restore_threads():
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


@pytest.fixture
def run(tool, tiny_config, checkpoints):
    """Runs the tool in this process; returns the metrics by model, pass and image."""

    def call(out, *options, checkpoint=0, config=None):
        arguments = [config or tiny_config, checkpoints[checkpoint], '--out', out, '--name', 'm']
        tool.main([str(part) for part in (*arguments, *options)])
        return results(out)

    return call


def results(out):
    found = {}
    for path in sorted((Path(out) / 'passes').glob('*/*.json')):
        images = json.loads(path.read_text())['images']
        found[f'{path.parent.name}/{path.stem}'] = {
            key: (record['metrics'], record['psnr']) for key, record in images.items()
        }
    return found


@pytest.fixture(scope='module')
def reference(tool, tiny_config, checkpoints, tmp_path_factory):
    """An uninterrupted run: folder and results."""
    out = tmp_path_factory.mktemp('reference')
    tool.main(
        [str(part) for part in (tiny_config, checkpoints[0], '--out', out, '--name', 'm', *FEW)]
    )
    return out, results(out)


def test_run_writes_tables_files_and_pictures(reference):
    out, found = reference
    names = ['clean_0', 'fog_1', 'fog_5', 'gaussian_noise_1', 'gaussian_noise_5']
    assert sorted(found) == [f'm/{name}' for name in names]
    assert all(len(images) == 5 for images in found.values())
    summary = json.loads((out / 'summary.json').read_text())
    rows = summary['models']['m']['corruptions']
    assert list(rows) == ['clean', 'fog', 'gaussian_noise']
    mean = sum(m['abs_rel'] for n in ('fog_1', 'fog_5') for m, _ in found[f'm/{n}'].values()) / 10
    assert rows['fog']['abs_rel'] == pytest.approx(mean)
    assert rows['fog']['dee'] == pytest.approx((mean - rows['fog']['delta1'] + 1) / 2)
    assert 'mRR' in (out / 'tables.txt').read_text()
    assert cv2.imread(str(out / 'examples.png')).shape[1] > 800
    assert (out / 'dee.svg').read_text().startswith('<svg')
    for name in ('corruptions.csv', 'severities.csv'):
        assert (out / name).stat().st_size > 100


def test_what_was_not_computed_has_no_number(run, monkeypatch, tmp_path, capsys):
    """One image in one corruption leaves no mean of it, none over corruptions and no picture."""
    plain, seen = SelfSupervisedDepthEstimator.estimate_disps, []

    def break_the_last(model, image):
        disps, feats = plain(model, image)
        seen.extend(range(len(image)))
        if len(seen) == 25:
            disps[0][-1] *= torch.nan
        return disps, feats

    monkeypatch.setattr(SelfSupervisedDepthEstimator, 'estimate_disps', break_the_last)
    run(tmp_path, *FEW)
    text = capsys.readouterr().out
    assert 'm: predictions of 1 of 5 passes are not finite (first: gaussian_noise 5)' in text
    assert 'mRR -' in text and 'dee.svg' not in text
    summary = json.loads((tmp_path / 'summary.json').read_text())['models']['m']
    assert summary['corruptions']['gaussian_noise']['dee'] is None
    assert summary['corruptions']['fog']['dee'] > 0 and summary['summary']['mrr'] is None
    assert [row['n_not_finite'] for row in summary['passes']] == [0, 0, 0, 0, 1]


def test_clean_numbers_are_those_of_the_test_tool(
    reference, run_tool, tiny_config, checkpoints, tmp_path
):
    out = tmp_path / 'metrics.json'
    run_tool(
        'tools/test.py', tiny_config, checkpoints[0], '--out', out, '--work-dir', tmp_path / 'w'
    )
    metrics = json.loads(out.read_text())
    clean = json.loads((reference[0] / 'summary.json').read_text())['models']['m']['corruptions']
    for key in ('abs_rel', 'delta1'):
        assert clean['clean'][key] == pytest.approx(metrics[key], rel=1e-5)


def test_interrupted_run_goes_on_and_equals_an_uninterrupted_one(
    reference, run, tool, tmp_path, monkeypatch
):
    from mmscd.robustness import benchmark as robustness

    judge, calls = robustness._judge_batch, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return judge(*arguments)

    monkeypatch.setattr(robustness, '_judge_batch', interrupted)
    with pytest.raises(SystemExit, match='interrupted'):
        run(tmp_path, *FEW)
    done = results(tmp_path)
    assert 0 < len(done) < 5
    calls[:] = [1, 1, 1]
    assert run(tmp_path, *FEW) == reference[1]
    # batches of 8 hold all 5 images: one call a pass, finished passes are not run again
    assert len(calls) - 3 == 5 - len(done)
    before = len(calls)
    assert run(tmp_path, *FEW) == reference[1]
    assert len(calls) == before


def test_workers_do_not_change_a_bit(reference, run, tmp_path):
    assert run(tmp_path, *FEW[:-1], '2') == reference[1]


def test_small_memory_runs_in_chunks(reference, run, tmp_path):
    found = run(tmp_path, *FEW, '--memory-gb', '0.0002')
    for name, images in reference[1].items():
        assert list(found[name]) == list(images)
        for key, (metrics, psnr) in images.items():
            assert found[name][key][1] == psnr
            assert found[name][key][0]['abs_rel'] == pytest.approx(metrics['abs_rel'], rel=1e-4)


@pytest.mark.slow
def test_two_processes_give_the_results_of_one(
    reference, run_tool, tiny_config, checkpoints, tmp_path
):
    script = 'tools/analysis_tools/test_robustness.py'
    run_tool(
        sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', 2,
        script, tiny_config, checkpoints[0], '--out', tmp_path, '--name', 'm', *FEW,
        '--launcher', 'pytorch', env=dict(OMP_NUM_THREADS='1'),
    )  # fmt: skip
    found = results(tmp_path)
    assert sorted(found) == sorted(reference[1])
    for name, images in reference[1].items():
        for key, (metrics, psnr) in images.items():
            assert found[name][key][1] == psnr
            assert found[name][key][0]['abs_rel'] == pytest.approx(metrics['abs_rel'], rel=1e-4)
    assert (tmp_path / 'summary.json').is_file()


def test_compared_models_share_a_table_and_a_baseline(
    reference, run, tiny_config, checkpoints, tmp_path, capsys
):
    other = f'other={tiny_config},{checkpoints[1]}'
    found = run(tmp_path, *FEW, '--compare', other, '--baseline', 'other')
    assert {key: value for key, value in found.items() if key.startswith('m/')} == reference[1]
    content = json.loads((tmp_path / 'summary.json').read_text())
    models = content['models']
    assert models['other']['summary']['mce'] == pytest.approx(100)
    assert models['m']['summary']['mce'] != pytest.approx(100)
    text = capsys.readouterr().out
    assert 'CE is relative to other' in text and 'seeds were not resampled' in text
    means = {
        name: [model['corruptions'][key]['dee'] for key in ('clean', 'fog', 'gaussian_noise')]
        for name, model in models.items()
    }
    paired = {row['measure']: row for row in content['paired']}
    assert {row['variant'] for row in paired.values()} == {'m'} and 'fog' not in paired
    excess = sum(means['m'][1:]) - sum(means['other'][1:])
    assert paired['excess']['change'] == pytest.approx(excess)
    assert paired['excess']['low'] < excess < paired['excess']['high']
    # finished passes are not run again for a further look
    run(tmp_path, *FEW, '--compare', other, '--baseline', 'other', '--by-corruption')
    rows = json.loads((tmp_path / 'summary.json').read_text())['paired']
    assert rows[:5] == content['paired'] and rows[5]['measure'] == 'fog'
    assert rows[5]['change'] == pytest.approx(means['m'][1] / means['other'][1])


def test_native_protocol_is_another_test(reference, run, tmp_path):
    found = run(tmp_path, *FEW, '--protocol', 'native')
    assert found['m/clean_0'] == reference[1]['m/clean_0']
    assert found['m/gaussian_noise_5'] != reference[1]['m/gaussian_noise_5']


def test_results_of_other_weights_or_seeds_are_refused(reference, run, tmp_path):
    shutil.copytree(reference[0], tmp_path / 'copy')
    for options in ((), ('--seed', '7'), ('--precision', 'auto')):
        changed = {} if options else dict(checkpoint=1)
        with pytest.raises(SystemExit, match='another checkpoint, data set, seed or protocol'):
            run(tmp_path / 'copy', *FEW, *options, **changed)


def test_automatic_precision_gives_the_numbers_of_float32(reference, run, tmp_path, monkeypatch):
    monkeypatch.setattr('mmscd.models.precision.PATIENCE', 0)
    found = run(tmp_path, *FEW, '--precision', 'auto')
    for pass_, images in reference[1].items():
        for key, (metrics, psnr) in images.items():
            assert found[pass_][key][1] == psnr
            assert found[pass_][key][0] == pytest.approx(metrics, abs=5e-4)


def test_a_set_on_disk_gives_the_numbers_of_the_run_on_the_fly(
    reference, run, converter, tiny_kitti, tmp_path
):
    out = tmp_path / 'kitti_c'
    arguments = [
        '--data-root', tiny_kitti, '--split', tiny_kitti / 'test_files.txt', '--out', out,
        '--size', '128x64', '--corruptions', 'fog', 'gaussian_noise', '--severities', '1', '5',
        '--workers', '1', '--sheet', tmp_path / 'sheet.png',
    ]  # fmt: skip
    arguments = [str(part) for part in arguments]
    converter.main(arguments)
    drive = '2011_09_26/2011_09_26_drive_0001_sync/image_02/data'
    files = sorted((out / 'fog/5/kitti_data' / drive).iterdir())
    assert [path.name for path in files] == [f'{i:010d}.png' for i in range(5)]
    assert len(list((out / 'clean').rglob('*.png'))) == 5
    assert cv2.imread(str(tmp_path / 'sheet.png')).shape[0] > 18 * 100
    stamp = files[1].stat().st_mtime_ns
    files[0].unlink()
    converter.main(arguments)
    assert files[0].is_file() and files[1].stat().st_mtime_ns == stamp
    found = run(tmp_path / 'run', *FEW, '--kitti-c', out)
    assert found == reference[1]
    with pytest.raises(SystemExit, match='begun with'):
        converter.main([*arguments, '--seed', '1'])
    files[2].unlink()
    with pytest.raises(SystemExit, match='0000000002.png does not exist'):
        run(tmp_path / 'again', *FEW, '--kitti-c', out)
    assert not results(tmp_path / 'again')


SCAN = 'velodyne_points/data/0000000003.bin'
TRUTH = 'proj_depth/groundtruth/image_02/0000000003.png'


def edit(path, old, new):
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    'spoil, gt, text',
    [
        (
            lambda date, drive: (drive / 'image_02/data/0000000003.png').write_bytes(b''),
            'improved',
            r'0000000003\.png is empty; copy',
        ),
        (
            lambda date, drive: (drive / SCAN).unlink(),
            'velodyne',
            r'test_files\.txt:4: ground truth: no 0000000003\.bin in',
        ),
        (
            lambda date, drive: edit(date / 'calib_cam_to_cam.txt', '02: 9.0e+01', '02: nan'),
            'improved',
            r'calib_cam_to_cam\.txt: .*12 finite numbers, got .*nan',
        ),
        (
            lambda date, drive: edit(date / 'calib_velo_to_cam.txt', 'T: 0', 'T: nan'),
            'velodyne',
            r'calib_velo_to_cam\.txt: .*3 finite numbers, got .*nan',
        ),
        (
            lambda date, drive: cv2.imwrite(str(drive / TRUTH), np.full((80, 160), 9, np.uint8)),
            'improved',
            r'0000000003\.png must be a single-channel 16-bit PNG, got uint8',
        ),
        (
            lambda date, drive: edit(date.parent / 'test_files.txt', 'sync 3 l', 'sync 99 l'),
            'improved',
            r'test_files\.txt:4: frame id 0: no 0000000099\.png',
        ),
    ],
    ids=['image', 'lidar', 'calibration', 'lidar calibration', 'depth png', 'split'],
)
def test_bad_input_is_one_sentence_before_the_first_pass(
    tool, tiny_kitti, tiny_config, checkpoints, tmp_path, spoil, gt, text
):
    root = tmp_path / 'kitti'
    shutil.copytree(tiny_kitti, root)
    date = root / '2011_09_26'
    drive = date / '2011_09_26_drive_0001_sync'
    (drive / SCAN).parent.mkdir(parents=True)
    for i in range(5):
        points = np.array([[9, 0, 0, 0]], '<f4')
        points.tofile(drive / f'velodyne_points/data/{i:010d}.bin')
    spoil(date, drive)
    arguments = [
        tiny_config, checkpoints[0], '--out', tmp_path / 'out', *FEW, '--cfg-options',
        f'test_dataloader.dataset.data_root={root}', f'test_dataloader.dataset.gt={gt}',
    ]  # fmt: skip
    with pytest.raises(SystemExit, match=text) as error:
        tool.main([str(part) for part in arguments])
    assert 'Traceback' not in str(error.value) and 'kept' not in str(error.value)
    assert not results(tmp_path / 'out')


def test_conditions_on_disk_stand_beside_the_corruptions(run, tiny_kitti, tmp_path, capsys):
    """A folder of images that are as the operation makes them gets the operation's numbers."""
    folder = '2011_09_26/2011_09_26_drive_0001_sync/image_02/data'
    shifted = tmp_path / 'shifted'
    for level in (1, 5):
        place = shifted / 'lab_fog' / str(level) / folder
        place.mkdir(parents=True)
        for i in range(5):
            name = f'{i:010d}'
            image = cv2.imread(str(tiny_kitti / folder / f'{name}.png'))[..., ::-1]
            made = corrupt(image, 'fog', level, 42, f'{folder}/{name}')
            cv2.imwrite(str(place / f'{name}.png'), made[..., ::-1])
    options = ('--severities', '1', '5', '--workers', '0', '--protocol', 'native')
    found = run(tmp_path / 'both', '--corruptions', 'fog', *options, '--shifted', shifted)
    assert found['m/lab_fog_1'] == found['m/fog_1'] and found['m/lab_fog_5'] == found['m/fog_5']
    assert found['m/lab_fog_5'] != found['m/clean_0']
    said = capsys.readouterr().out
    assert 'no CE' in said and 'the conditions lab_fog of' in said
    # alone, and resized after it is read where the network is corrupted at its own size
    alone = run(tmp_path / 'alone', '--corruptions', *options[:5], '--shifted', shifted)
    assert sorted(alone) == ['m/clean_0', 'm/lab_fog_1', 'm/lab_fog_5']
    assert alone['m/lab_fog_1'] == {
        key: (metrics, pytest.approx(psnr, abs=30))
        for key, (metrics, psnr) in found['m/fog_1'].items()
    }
    (shifted / 'lab_fog/5' / folder / '0000000003.png').unlink()
    with pytest.raises(SystemExit, match=r'0000000003\.png does not exist'):
        run(tmp_path / 'missing', '--corruptions', *options, '--shifted', shifted)
    (shifted / 'fog').mkdir()
    for place in (shifted, tmp_path / 'nothing'):
        with pytest.raises(SystemExit, match='must hold folders CONDITION/LEVEL'):
            run(tmp_path / 'taken', '--corruptions', *options, '--shifted', place)


@pytest.mark.parametrize('workers', ['0', '1'])
def test_an_image_that_breaks_late_leaves_the_passes_before(
    run, converter, tiny_kitti, tmp_path, workers
):
    arguments = [
        '--data-root', tiny_kitti, '--split', tiny_kitti / 'test_files.txt', '--out', tmp_path,
        '--size', '128x64', '--corruptions', 'fog', 'gaussian_noise', '--severities', '1', '5',
        '--workers', '1',
    ]  # fmt: skip
    converter.main([str(part) for part in arguments])
    image = next((tmp_path / 'gaussian_noise/5').rglob('0000000002.png'))
    image.write_bytes(b'')
    with pytest.raises(SystemExit, match=r'0000000002\.png is empty') as error:
        run(tmp_path / 'run', *FEW[:-1], workers, '--kitti-c', tmp_path)
    # one sentence, also out of a worker, and that the same command goes on
    assert len(str(error.value).splitlines()) == 2
    names = ['clean_0', 'fog_1', 'fog_5', 'gaussian_noise_1']
    assert sorted(results(tmp_path / 'run')) == [f'm/{name}' for name in names]
    image.unlink()
    converter.main([str(part) for part in arguments])
    assert len(run(tmp_path / 'run', *FEW, '--kitti-c', tmp_path)) == 5


def test_missing_and_wrong_weights_are_named(run, tool, tiny_config, tmp_path):
    with pytest.raises(SystemExit, match='nowhere.pth'):
        tool.main([str(tiny_config), 'nowhere.pth', '--out', str(tmp_path), *FEW])
    torch.save(dict(state_dict={}), tmp_path / 'empty.pth')
    with pytest.raises(SystemExit, match='empty.pth hold no parameters'):
        tool.main([str(tiny_config), str(tmp_path / 'empty.pth'), '--out', str(tmp_path), *FEW])


def test_an_unwritable_folder_is_named(run, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(SystemExit, match='cannot write'):
        run(tmp_path / 'file' / 'out', *FEW)


@pytest.mark.parametrize(
    'options, text',
    [
        (('--corruptions', 'rain'), 'rain'),
        (('--severities', '6'), '6'),
        (('--corruptions',), 'nothing to judge'),
        (('--baseline', 'nobody'), 'nobody'),
        (('--compare', 'a=b'), 'NAME=CONFIG,CHECKPOINT'),
        (('--batch-size', '0'), 'batch-size'),
    ],
)
def test_wrong_options_are_named(run, tmp_path, capsys, options, text):
    with pytest.raises(SystemExit) as error:
        run(tmp_path, *options)
    assert text in f'{error.value} {capsys.readouterr().err}' and not results(tmp_path)

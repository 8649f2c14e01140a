"""Export and the demo without PyTorch, on their command lines."""

import os
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmscd.datasets.transforms.resize import ResizeFrames
from mmscd.deployment import load_network
from tools.deployment import export_onnx, onnx_demo

CONFIG = 'configs/monodepth2/monodepth2_r18_kitti-mini.py'
DEMO = Path(onnx_demo.__file__)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'iter_1.pth'
    torch.save(dict(state_dict=load_network(CONFIG)[1].state_dict()), path)
    return path


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp('images')
    rng = np.random.default_rng(0)
    for i in range(3):
        small = rng.integers(0, 256, (8, 24, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{i}.png'), cv2.resize(small, (331, 101)))
    return folder


@pytest.fixture(scope='module')
def exported(checkpoint, images, tmp_path_factory):
    pytest.importorskip('onnx')
    out = tmp_path_factory.mktemp('model') / 'depth.onnx'
    export_onnx.main([CONFIG, str(checkpoint), str(out), '--images', str(images)])
    return out


def test_the_differences_are_printed(checkpoint, images, tmp_path, capsys):
    pytest.importorskip('onnx')
    out = tmp_path / 'new' / 'depth.onnx'
    export_onnx.main(
        [CONFIG, str(checkpoint), str(out), '--images', str(images), '--size', '96x64',
         '--dynamic-size', '--dynamic-batch']
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert 'graph: ResNetEncoder and DispHead, 14.33 M parameters; no pose net' in printed
    found = re.findall(r'on 3 images, (\S+), batch (\d): .* (\S+) \(disparity\), (\S+)', printed)
    assert [(size, batch) for size, batch, *_ in found] == [
        ('96x64', '1'), ('96x64', '2'), ('64x96', '1'),
    ]  # fmt: skip
    assert all(0 < float(value) < 1e-4 for _, _, *values in found for value in values)
    assert 'image (batch, 3, height, width) RGB in 0..1 -> inv_depth' in printed
    assert [path.name for path in out.parent.iterdir()] == ['depth.onnx']


def test_a_file_that_differs_is_not_written(checkpoint, images, tmp_path):
    out = tmp_path / 'depth.pt'
    with pytest.raises(SystemExit, match=r'differs from the model .* nothing was written'):
        export_onnx.main(
            [CONFIG, str(checkpoint), str(out), '--torchscript', '--fp16', '--tolerance', '1e-7',
             '--images', str(images), '--size', '96x64']
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_mistakes_are_one_sentence(checkpoint, tmp_path):
    out = str(tmp_path / 'depth.onnx')
    for arguments, words in (
        ([CONFIG, str(checkpoint), str(tmp_path / 'depth.pth')], 'onnx ends in .onnx'),
        ([CONFIG, str(checkpoint), out, '--torch-export'], 'torch-export ends in .pt2'),
        ([CONFIG, str(tmp_path / 'no.pth'), out], 'no.pth does not exist'),
        (['configs/nothing.py', str(checkpoint), out], 'there is no config'),
        ([CONFIG, str(checkpoint), out, '--size', '100x64'], 'multiples of 32'),
        ([CONFIG, str(checkpoint), out, '--images', str(tmp_path / 'no.png')], 'does not exist'),
        ([CONFIG, str(checkpoint), out, '--images', str(tmp_path)], 'holds no image'),
    ):
        with pytest.raises(SystemExit, match=words):
            export_onnx.main(arguments)
    assert not list(tmp_path.iterdir())


def test_demo_predicts_as_the_model_without_torch(exported, checkpoint, images, tmp_path):
    """In a Python in which importing torch or mmscd fails."""
    blocker = tmp_path / 'blocked'
    for name in ('torch', 'mmscd', 'mmengine'):
        (blocker / name).mkdir(parents=True)
        (blocker / name / '__init__.py').write_text('raise ImportError("blocked")')
    out = tmp_path / 'out'
    done = subprocess.run(
        [sys.executable, DEMO, exported, images, '--out', out, '--npy'],
        env=os.environ | dict(PYTHONPATH=str(blocker)), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '3 of 3 images' in done.stdout
    names = {f'{i}_depth.{kind}' for i in range(3) for kind in ('png', 'npy')}
    assert {path.name for path in out.iterdir()} == names
    assert cv2.imread(str(out / '0_depth.png')).shape == (202, 331, 3)

    from mmscd.deployment.parity import model_inv_depth

    _, model = load_network(CONFIG, str(checkpoint))
    image = cv2.imread(str(images / '1.png'))[..., ::-1]
    frame = ResizeFrames((320, 96))(dict(frames=[image], K=np.eye(3)))['frames'][0]
    inverse = model_inv_depth(model, frame[None])
    inverse = torch.nn.functional.interpolate(inverse, (101, 331), mode='bilinear')[0, 0]
    depth = np.load(out / '1_depth.npy')
    assert depth.dtype == np.float32 and depth.shape == (101, 331)
    assert np.abs(depth * inverse.numpy() - 1).max() < 1e-4


def test_demo_gives_metres_of_weights_that_say_how(exported, checkpoint, images, tmp_path):
    """Of stereo weights of Monodepth2, whose depth times 5.4 is in metres."""
    weights = tmp_path / 'stereo.pth'
    torch.save(
        torch.load(checkpoint, weights_only=True) | dict(meta=dict(depth_scale=5.4)), weights
    )
    export_onnx.main([CONFIG, str(weights), str(tmp_path / 'stereo.onnx'), '--images', str(images)])
    for model, name in ((exported, 'plain'), (tmp_path / 'stereo.onnx', 'metric')):
        image, out = str(images / '1.png'), str(tmp_path / name)
        onnx_demo.main([str(model), image, '--out', out, '--npy'])
    plain, metric = (np.load(tmp_path / name / '1_depth.npy') for name in ('plain', 'metric'))
    assert np.allclose(metric, 5.4 * plain, rtol=1e-5)


@pytest.mark.parametrize('shape', [(375, 1242), (96, 320), (97, 321), (50, 700), (700, 100)])
def test_demo_resizes_as_the_pipeline(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    expected = ResizeFrames((320, 96))(dict(frames=[image], K=np.eye(3)))['frames'][0]
    assert np.array_equal(onnx_demo.resize(image, (320, 96)), expected)


def test_demo_goes_on_after_broken_images(exported, tmp_path, capsys):
    folder = tmp_path / 'in'
    folder.mkdir()
    (folder / 'text.jpg').write_text('no picture')
    (folder / 'empty.png').write_bytes(b'')
    whole = cv2.imencode('.png', np.zeros((4, 4, 3), np.uint8))[1].tobytes()
    header = whole[12:16] + struct.pack('>II', 40_000, 40_000) + whole[24:29]
    huge = whole[:12] + header + struct.pack('>I', zlib.crc32(header)) + whole[33:]
    (folder / 'huge.png').write_bytes(huge)
    rng = np.random.default_rng(0)
    cv2.imwrite(str(folder / 'grey16.png'), rng.integers(0, 65536, (40, 60), dtype=np.uint16))
    cv2.imwrite(str(folder / 'rgba.png'), rng.integers(0, 256, (40, 60, 4), dtype=np.uint8))
    cv2.imwrite(str(folder / 'tiny.png'), np.full((1, 1, 3), 9, np.uint8))
    floats = cv2.imencode('.pfm', np.ones((40, 60), np.float32))[1].tobytes()
    (folder / 'floats.png').write_bytes(floats)
    with pytest.raises(SystemExit) as stop:
        onnx_demo.main([str(exported), str(folder), '--out', str(tmp_path / 'out')])
    assert stop.value.code == 1
    printed = capsys.readouterr()
    assert printed.err.count('is no image, or a broken one') == 3
    assert '3 of 7 images' in printed.out
    assert 'floats.png has values of float32: store colours of 8 or 16 bits' in printed.err
    assert len(list((tmp_path / 'out').iterdir())) == 3


def test_demo_keeps_results_of_equal_names(exported, tmp_path, capsys):
    rng = np.random.default_rng(0)
    for camera in ('image_02', 'image_03'):
        (tmp_path / camera).mkdir()
        picture = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / camera / '0000000000.png'), picture)
    folders, out = [str(tmp_path / f'image_0{i}') for i in (2, 3)], tmp_path / 'out'
    onnx_demo.main([str(exported), *folders, '--out', str(out), '--npy'])
    depths = [np.load(out / f'0000000000{end}_depth.npy') for end in ('', '_2')]
    assert len(list(out.iterdir())) == 4 and (depths[0] != depths[1]).any()
    onnx_demo.main([str(exported), folders[1], '--out', str(tmp_path / 'second'), '--npy'])
    assert (np.load(tmp_path / 'second/0000000000_depth.npy') == depths[1]).all()


def test_demo_refuses_other_models(exported, tmp_path):
    pytest.importorskip('onnxruntime')
    (tmp_path / 'other.onnx').write_bytes(b'nothing')
    for name, words in (('other.onnx', 'cannot be loaded'), ('no.onnx', 'there is no model')):
        with pytest.raises(SystemExit, match=words):
            onnx_demo.main([str(tmp_path / name), 'x.png'])
    # the key of the metadata is no text any more, or another one
    for name, by in (('key.onnx', b'\xf4ramework'), ('other.onnx', b'Framework')):
        spoilt = exported.read_bytes().replace(b'framework', by)
        (tmp_path / name).write_bytes(spoilt)
        with pytest.raises(SystemExit, match=f'{name} was not made by .*, or is damaged'):
            onnx_demo.main([str(tmp_path / name), 'x.png'])
    (tmp_path / 'empty').mkdir()
    with pytest.raises(SystemExit, match='the folder .*empty holds no image'):
        onnx_demo.main([str(tmp_path / 'other.onnx'), str(tmp_path / 'empty')])


@pytest.mark.slow
def test_real_frames(checkpoint, mmscd_data, tmp_path, capsys):
    pytest.importorskip('onnx')
    drive = mmscd_data / 'kitti_raw/2011_09_26/2011_09_26_drive_0013_sync'
    names = sorted(path.name for path in (drive / 'image_03/data').iterdir())
    assert len(names) == 25  # the Eigen test frames; those alone have the other camera
    files = [str(drive / 'image_02/data' / name) for name in names]
    out = tmp_path / 'depth.onnx'
    export_onnx.main([CONFIG, str(checkpoint), str(out), '--images', *files])
    found = re.search(r'on 25 images, 320x96, batch 1: .* (\S+) \(disp', capsys.readouterr().out)
    assert float(found[1]) < 1e-4 and out.is_file()

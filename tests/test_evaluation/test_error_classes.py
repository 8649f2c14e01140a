"""Classes of pixels: label images by name, and a segmentor's largest logits."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mmscd.evaluation.error_classes import LabelFolder, TeacherLabels


def test_labels_are_found_by_the_end_of_the_path(tmp_path):
    (tmp_path / 'a').mkdir()
    for name in ('a/0001.png', '0002.png'):
        cv2.imwrite(str(tmp_path / name), np.zeros((4, 4), np.uint8))
    folder = LabelFolder(tmp_path)
    assert folder.find('/data/a/0001.jpg') == tmp_path / 'a/0001.png'
    with pytest.raises(FileNotFoundError, match='no label for /data/b/0001.jpg'):
        folder.find('/data/b/0001.jpg')
    assert folder.find('/data/b/0002.jpg') == tmp_path / '0002.png'
    with pytest.raises(ValueError, match='label of /data/b/0002.jpg and of /data/c/0002.jpg'):
        folder.find('/data/c/0002.jpg')
    with pytest.raises(FileNotFoundError, match='holds no labels'):
        LabelFolder(tmp_path, '_ids')
    cv2.imwrite(str(tmp_path / '0003.png'), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(ValueError, match='one channel'):
        LabelFolder(tmp_path)('0003.jpg', None, (4, 4))
    with pytest.raises(
        ValueError, match='0002.png is 4x4, but the ground truth of 0002.jpg is 8x4'
    ):
        LabelFolder(tmp_path)('0002.jpg', None, (4, 8))


@pytest.mark.parametrize('kind', ['L', 'P', 'I;16', '1'])
def test_labels_are_the_stored_numbers(tmp_path, kind):
    """Those of a palette too, whatever its colours, at the size that is asked for."""
    top = 1 if kind == '1' else 13
    stored = np.zeros((4, 6), np.uint16 if kind == 'I;16' else np.uint8)
    stored[:2] = top
    image = Image.fromarray(stored.astype(bool) if kind == '1' else stored)
    if kind == 'P':
        image.putpalette([(7 * i + j) % 256 for i in range(256) for j in range(3)])
    assert image.mode == kind
    image.save(tmp_path / '0001.png')
    labels = LabelFolder(tmp_path)('x/0001.jpg', None, (8, 12))
    assert labels.dtype == np.int64 and (labels[:4] == top).all() and (labels[4:] == 0).all()


def test_a_broken_label_image_is_named(tmp_path):
    cv2.imwrite(str(tmp_path / '1.png'), np.random.default_rng(0).integers(0, 9, (40, 60), 'u1'))
    data = (tmp_path / '1.png').read_bytes()
    for broken in (b'', b'no image', data[: len(data) // 2], data[:20]):
        (tmp_path / '1.png').write_bytes(broken)
        with pytest.raises(OSError, match=r'1\.png is (empty|truncated or unreadable)'):
            LabelFolder(tmp_path)('1.jpg', None, (40, 60))


def test_classes_of_a_segmentor(tmp_path):
    """Labels are the largest logits, at the size asked for."""
    pytest.importorskip('mmseg')
    config = tmp_path / 'segmentor.py'
    config.write_text(
        "model = dict(type='EncoderDecoder', data_preprocessor=dict(type='SegDataPreProcessor',"
        ' mean=[0.0] * 3, std=[255.0] * 3, bgr_to_rgb=True),'
        " backbone=dict(type='ResNet', depth=18, num_stages=4, out_indices=(3,)),"
        " decode_head=dict(type='FCNHead', in_channels=512, channels=512, num_convs=0,"
        ' concat_input=False, in_index=0, num_classes=19))'
    )
    from mmscd.models.teachers import MMSegTeacher

    torch.manual_seed(1)
    teacher = MMSegTeacher(str(config), needs_logits=True, allow_random=True)
    torch.save(dict(state_dict=teacher.network.state_dict()), tmp_path / 'w.pth')
    image = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    labels = TeacherLabels(str(config), str(tmp_path / 'w.pth'), None, 'cpu')
    assert labels.classes[:2] == ('road', 'sidewalk') and len(labels.classes) == 19
    found = labels('street.png', lambda: image, (64, 96))
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    logits = teacher(tensor)['logits']
    up = torch.nn.functional.interpolate(logits, (64, 96), mode='bilinear').argmax(1)[0]
    assert (found == up.numpy()).mean() > 0.999

"""Training frames as a folder of one's own video."""

import numpy as np
from mmengine.registry import init_default_scope

from mmscd.registry import DATASETS
from mmscd.utils.config import load_config
from tools.dataset_converters import pack_frames


def test_packed_frames_are_the_samples(tiny_config, tmp_path):
    pack_frames.main([str(tmp_path), '--config', str(tiny_config), '--size', '64x32'])
    init_default_scope('mmscd')
    pipeline = [dict(type='LoadFrames'), dict(type='PackDepthInputs')]
    packed = dict(type='FolderDepthDataset', data_root=str(tmp_path), pipeline=pipeline)
    found, expected = DATASETS.build(packed), load_config(str(tiny_config)).train_dataloader.dataset
    expected.pipeline[1].size = (64, 32)
    expected = DATASETS.build(expected)
    assert len(found) == len(expected) == 12
    for a, b in zip(found, expected, strict=True):
        assert np.allclose(a['inputs']['K'], b['inputs']['K'], rtol=1e-6)
        frames = [sample['inputs']['frames'].double() for sample in (a, b)]
        # JPEG blurs so fine a pattern; red is red, and no frame is another
        others = (frames[1].flip(1), frames[1].roll(1, 0))
        near, *far = ((frames[0] - b).abs().mean() for b in (frames[1], *others))
        assert near < 0.6 * min(far)

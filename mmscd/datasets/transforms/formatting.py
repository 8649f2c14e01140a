"""The last transform: from arrays to what the model gets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.structures import PixelData

from mmscd.registry import TRANSFORMS
from mmscd.structures import DepthDataSample

_META_KEYS = ('img_path', 'frame_paths', 'frame_ids', 'sample_idx', 'ori_shape', 'img_shape')


@TRANSFORMS.register_module()
class PackDepthInputs:
    """Pack a sample.

    Gives `dict(inputs=..., data_samples=DepthDataSample)`, where inputs holds `frames` (F, 3, H, W)
    uint8 RGB, `K` (3, 3) float32 in pixels of these frames, `draw_key` (int64 scalar) and, for
    stereo samples, `T_stereo` (4, 4) float32 metres. The data sample gets the metainfo named in
    `DepthDataSample`, and `gt_depth` where the sample has ground truth.

    Args:
        meta_keys: further keys of the results that go into the metainfo.
    """

    def __init__(self, meta_keys: Sequence[str] = ()) -> None:
        self.meta_keys = tuple(meta_keys)

    def __call__(self, results: dict) -> dict:
        first, *_ = frames = results['frames']
        planes = np.empty((len(frames), 3, *first.shape[:2]), first.dtype)
        for number, frame in enumerate(frames):
            planes[number] = frame.transpose(2, 0, 1)
        inputs = dict(
            frames=torch.from_numpy(planes),
            K=torch.from_numpy(results['K'].astype(np.float32)),
            draw_key=torch.tensor(results['draw_key'], dtype=torch.int64),
        )
        if 'T_stereo' in results:
            inputs['T_stereo'] = torch.from_numpy(results['T_stereo'].astype(np.float32))
        absent = [key for key in self.meta_keys if key not in results]
        if absent:
            raise KeyError(f'meta_keys {absent} are not in the sample; it has {sorted(results)}')
        meta = {key: results[key] for key in (*_META_KEYS, *self.meta_keys)}
        data_sample = DepthDataSample(metainfo=dict(meta, K_ori=results['K_ori'].tolist()))
        if 'gt_depth' in results:
            depth = np.ascontiguousarray(results['gt_depth'], dtype=np.float32)
            data_sample.gt_depth = PixelData(data=torch.from_numpy(depth)[None])
        return dict(inputs=inputs, data_samples=data_sample)

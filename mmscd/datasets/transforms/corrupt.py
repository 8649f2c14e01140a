"""Corruption of the frames of a sample, for robustness tests."""

from __future__ import annotations

from mmscd.corruptions import corrupt, get_parameters, image_id_from_path
from mmscd.datasets.options import choose
from mmscd.registry import TRANSFORMS

PROTOCOLS = ('robodepth', 'native')


@TRANSFORMS.register_module()
class CorruptFrames:
    """Corrupt all frames of a sample with one of the 18 corruptions of KITTI-C.

    For evaluation: training on a test corruption would make its numbers worthless.

    Args:
        name: one of `mmscd.corruptions.CORRUPTIONS`.
        severity: 1 to 5.
        seed: of the random draws; they also depend on the file of each frame.
        protocol: where in the pipeline it stands. `robodepth`: after `ResizeFrames`, as the
            published KITTI-C; `native`: before it, which is an easier test. Checked at the first
            sample; None: not checked.
        data_root: folder of the data set; the draws depend on paths below it. See
            `image_id_from_path`.
    """

    def __init__(
        self,
        name: str,
        severity: int,
        seed: int = 42,
        protocol: str | None = 'robodepth',
        data_root: str | None = None,
    ) -> None:
        get_parameters(name, severity)
        self.name, self.severity, self.seed, self.data_root = name, severity, seed, data_root
        self.protocol = choose('protocol', protocol, (*PROTOCOLS, None))

    def __call__(self, results: dict) -> dict:
        self._check_place(results)
        ids = [image_id_from_path(path, self.data_root) for path in results['frame_paths']]
        results['frames'] = [
            corrupt(frame, self.name, self.severity, self.seed, image_id)
            for frame, image_id in zip(results['frames'], ids, strict=True)
        ]
        return results

    def _check_place(self, results: dict) -> None:
        at_hand, stored = tuple(results['img_shape']), tuple(results['ori_shape'])
        if self.protocol == 'native' and at_hand != stored:
            raise ValueError(
                f"CorruptFrames(protocol='native') must stand before ResizeFrames: the frames have "
                f'(H, W) {at_hand}, stored are {stored}'
            )
        if self.protocol == 'robodepth' and at_hand == stored:
            raise ValueError(
                f"CorruptFrames(protocol='robodepth') must stand after ResizeFrames: the frames "
                f'have their stored (H, W) {stored}; if the network takes these set protocol=None'
            )

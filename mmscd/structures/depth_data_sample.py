"""The data structure that every stage of the pipeline reads and writes."""

from mmengine.structures import BaseDataElement, PixelData


class DepthDataSample(BaseDataElement):
    """Ground truth and prediction of one target frame.

    Data fields (each a `PixelData` whose `data` is a float32 tensor of shape (1, H, W)):

    - `gt_depth`: metres, camera z; 0 where nothing was measured. H, W are the ground truth's own.
    - `pred_depth`: metres up to scale (true metres for stereo-trained models), at `ori_shape`.
    - `pred_inv_depth`: 1 / depth at the network's resolution.

    Metainfo set by the datasets and transforms: `img_path` (target frame), `frame_paths` (one per
    frame id), `frame_ids` (target first), `sample_idx`, `ori_shape` and `img_shape` ((H, W) before
    and after the resize), `K_ori` (3x3 nested list, pixels of the original image).
    """

    @property
    def gt_depth(self) -> PixelData:
        """Ground-truth depth, metres."""
        return self._gt_depth

    @gt_depth.setter
    def gt_depth(self, value: PixelData) -> None:
        self.set_field(value, '_gt_depth', dtype=PixelData)

    @gt_depth.deleter
    def gt_depth(self) -> None:
        del self._gt_depth

    @property
    def pred_depth(self) -> PixelData:
        """Predicted depth at the original image size."""
        return self._pred_depth

    @pred_depth.setter
    def pred_depth(self, value: PixelData) -> None:
        self.set_field(value, '_pred_depth', dtype=PixelData)

    @pred_depth.deleter
    def pred_depth(self) -> None:
        del self._pred_depth

    @property
    def pred_inv_depth(self) -> PixelData:
        """Predicted inverse depth at the network's resolution."""
        return self._pred_inv_depth

    @pred_inv_depth.setter
    def pred_inv_depth(self, value: PixelData) -> None:
        self.set_field(value, '_pred_inv_depth', dtype=PixelData)

    @pred_inv_depth.deleter
    def pred_inv_depth(self) -> None:
        del self._pred_inv_depth

"""Where depth jumps: edges of depth maps, and how well those of a prediction lie.

Accuracy and completeness are the depth boundary errors of T. Koch et al., "Evaluation of CNN-based
single-image depth estimation methods", ECCV workshops 2018: truncated chamfer distances between the
edges of the prediction and those of the truth, in pixels. That work finds edges by Canny's detector
on depth normalised to [0, 1], made for rooms: in a street, where the farthest point is 80 m away, a
car before a house would be no edge. Here an edge is a jump of *inverse* depth relative to itself,
which does not depend on scale, and planes (roads, house fronts), on which inverse depth is affine,
have none, however oblique they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

_TIE = 1e-4  # relative; float32 sums differ by less


@dataclass(frozen=True)
class EdgeDetector:
    """What counts as a depth discontinuity.

    With inverse depth q, blurred by a Gaussian, and g its derivative along its own gradient: a
    pixel is an edge where g is larger than on either side, one pixel along the gradient, and stands
    out of the larger of those `reach` pixels away by h. The jump of q is then h / `gain`, and its
    contrast that over the sum of q on both sides, `reach` pixels away. An ideal jump of depth by
    the factor r has the contrast (r - 1) / (r + 1). It must reach that of `ratio` somewhere along
    an edge, and that of `weak_ratio` all along it.

    Args:
        ratio: factor of depth across an edge, more than 1.
        weak_ratio: factor down to which an edge is followed (hysteresis); None: a third of the
            contrast of `ratio`.
        sigma: of the Gaussian, pixels.
    """

    ratio: float = 1.25
    weak_ratio: float | None = None
    sigma: float = math.sqrt(2)

    def __post_init__(self) -> None:
        if not self.ratio > 1:
            raise ValueError(f'ratio must be more than 1 (a factor of depth), got {self.ratio}')
        if self.weak_ratio is not None and not 1 < self.weak_ratio <= self.ratio:
            raise ValueError(f'weak_ratio must lie in (1, {self.ratio}], got {self.weak_ratio}')
        if not 0.5 <= self.sigma <= 10:
            raise ValueError(f'sigma must lie in 0.5..10 pixels, got {self.sigma}')

    @property
    def reach(self) -> int:
        """How far from an edge its surroundings are, pixels."""
        return math.ceil(3 * self.sigma)

    @property
    def margin(self) -> int:
        """How far a pixel without depth makes others useless, pixels."""
        return self.reach + math.ceil(3 * self.sigma) + 1

    @property
    def contrasts(self) -> tuple[float, float]:
        """Weak and strong threshold of (r - 1) / (r + 1)."""
        strong = (self.ratio - 1) / (self.ratio + 1)
        if self.weak_ratio is None:
            return strong / 3, strong
        return (self.weak_ratio - 1) / (self.weak_ratio + 1), strong

    @property
    def gain(self) -> float:
        """Height of the derivative (central differences) at a blurred jump by 1 between pixels."""
        scale = self.sigma * math.sqrt(2)
        return (math.erf(1.5 / scale) + math.erf(0.5 / scale)) / 4

    def __call__(self, inv_depth: np.ndarray) -> np.ndarray:
        """Edges, bool (H, W), one pixel thin, of inverse depth (H, W), finite and positive."""
        contrast = self._contrast(np.ascontiguousarray(inv_depth, np.float32))
        weak, strong = self.contrasts
        _, labels = cv2.connectedComponents((contrast >= weak).astype(np.uint8), connectivity=8)
        kept = np.unique(labels[contrast >= strong])
        return np.isin(labels, kept[kept > 0])

    def _contrast(self, inv_depth: np.ndarray) -> np.ndarray:
        """Contrast of the jump at local maxima of the gradient, 0 elsewhere."""
        size = 2 * math.ceil(4 * self.sigma) + 1
        border = dict(borderType=cv2.BORDER_REPLICATE)
        blurred = cv2.GaussianBlur(inv_depth, (size, size), self.sigma, **border)
        kernel = np.array([-0.5, 0, 0.5], np.float32)
        one: np.ndarray = np.ones(1, np.float32)
        gx = cv2.sepFilter2D(blurred, cv2.CV_32F, kernel, one, **border)
        gy = cv2.sepFilter2D(blurred, cv2.CV_32F, one, kernel, **border)
        slope = np.hypot(gx, gy)
        with np.errstate(divide='ignore', invalid='ignore'):
            nx, ny = np.nan_to_num(gx / slope), np.nan_to_num(gy / slope)
        rows, columns = np.indices(slope.shape, np.float32)

        def sample(values: np.ndarray, distance: float) -> np.ndarray:
            """Values some way along each pixel's own gradient."""
            place = columns + distance * nx, rows + distance * ny
            return cv2.remap(values, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

        def along(distance: float) -> np.ndarray:
            """The derivative there, in the direction of the pixel's own gradient."""
            return sample(gx, distance) * nx + sample(gy, distance) * ny

        # of two equal neighbours, which a jump between two pixels has, just one stays
        peak = (slope > along(-1) * (1 + _TIE)) & (slope >= along(1) * (1 - _TIE))
        height = slope - np.maximum(along(-self.reach), along(self.reach))
        sides = sample(blurred, -self.reach) + sample(blurred, self.reach)
        return np.where(peak, height / (self.gain * sides), 0)


def comparable_pixels(valid: np.ndarray, margin: int) -> np.ndarray:
    """Pixels with nothing invalid in the square of `margin` pixels around them, within the
    image."""
    kernel: np.ndarray = np.ones((2 * margin + 1,) * 2, np.uint8)
    return cv2.erode(valid.astype(np.uint8), kernel, borderValue=1).astype(bool)


def distance_to(edges: np.ndarray) -> np.ndarray:
    """Distance of every pixel to the nearest edge pixel, float32 (H, W); infinite without any."""
    if not edges.any():
        return np.full(edges.shape, np.inf, np.float32)
    return cv2.distanceTransform((~edges).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def compare_edges(
    pred: np.ndarray, gt: np.ndarray, gt_faint: np.ndarray | None = None, max_distance: float = 10.0
) -> dict[str, float] | None:
    """Depth boundary errors of Koch et al., of bool maps (H, W); None where the truth has no edge.

    Args:
        pred: predicted edges that count.
        gt: true edges that must be found.
        gt_faint: true edges that may be found: a prediction on them is right. None: those of `gt`.
        max_distance: distances are truncated to it, pixels.

    Returns:
        - `edge_accuracy`: mean distance of predicted edge pixels to the true edges (faint ones
          too), over those nearer than `max_distance` (how exactly edges lie where they ought to);
          `max_distance` where there is none;
        - `edge_completeness`: mean distance of true edge pixels to the predicted ones, truncated;
        - `edge_precision`: share of the predicted edge pixels nearer than `max_distance` to a true
          one. Accuracy says nothing of the others. 0 where there is none;
        - `n_edges`: true edge pixels.
    """
    if not gt.any():
        return None
    to_truth = distance_to(gt if gt_faint is None else gt | gt_faint)[pred]
    near = to_truth < max_distance
    to_pred = np.minimum(distance_to(pred)[gt], max_distance)
    return dict(
        edge_accuracy=float(to_truth[near].mean(dtype=np.float64)) if near.any() else max_distance,
        edge_completeness=float(to_pred.mean(dtype=np.float64)),
        edge_precision=float(near.mean()) if near.size else 0.0,
        n_edges=int(gt.sum()),
    )

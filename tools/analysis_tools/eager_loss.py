"""The photometric loss in the shape that self-supervised depth code bases usually give it.

One eager operation after the other, source by source and scale by scale. It is what
`benchmark_training.py` measures `mmscd.models.losses.PhotometricLoss` against, and an independent
reference for its value. Formulas: Godard et al., "Digging into self-supervised monocular depth
estimation", 2019, eq. 1-6. The usual random tie-break of the auto-mask is left out, so that the
values compare.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmscd.models.outputs import StepOutputs


class SSIM(nn.Module):
    """(1 - SSIM) / 2 per pixel and channel: reflection padding, five 3x3 average pools."""

    def __init__(self) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(1)
        self.mean_x, self.mean_y = nn.AvgPool2d(3, 1), nn.AvgPool2d(3, 1)
        self.mean_xx, self.mean_yy = nn.AvgPool2d(3, 1), nn.AvgPool2d(3, 1)
        self.mean_xy = nn.AvgPool2d(3, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Both (B, 3, H, W) in [0, 1]; gives (B, 3, H, W) in [0, 1]."""
        x, y = self.pad(x), self.pad(y)
        mu_x, mu_y = self.mean_x(x), self.mean_y(y)
        var_x = self.mean_xx(x**2) - mu_x**2
        var_y = self.mean_yy(y**2) - mu_y**2
        cov = self.mean_xy(x * y) - mu_x * mu_y
        above = (2 * mu_x * mu_y + 0.01**2) * (2 * cov + 0.03**2)
        below = (mu_x**2 + mu_y**2 + 0.01**2) * (var_x + var_y + 0.03**2)
        return torch.clamp((1 - above / below) / 2, 0, 1)


class BackProject(nn.Module):
    """Depth (B, 1, H, W) to homogeneous points (B, 4, H W); the pixel grid is made once."""

    def __init__(self, batch: int, height: int, width: int) -> None:
        super().__init__()
        rows, columns = torch.arange(height).float(), torch.arange(width).float()
        v, u = torch.meshgrid(rows, columns, indexing='ij')
        pixels = torch.stack([u.flatten(), v.flatten(), torch.ones_like(u).flatten()])
        self.register_buffer('pixels', pixels.repeat(batch, 1, 1))
        self.register_buffer('ones', torch.ones(batch, 1, height * width))

    def forward(self, depth: Tensor, inv_K: Tensor) -> Tensor:
        points = torch.matmul(inv_K, self.pixels)
        points = depth.flatten(2) * points
        return torch.cat([points, self.ones], 1)


class Project(nn.Module):
    """Homogeneous points (B, 4, H W) to a sampling grid (B, H, W, 2)."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, points: Tensor, K: Tensor, T: Tensor) -> Tensor:
        P = torch.matmul(K, T[:, :3])
        points = torch.matmul(P, points)
        pixels = points[:, :2] / points[:, 2:].clamp(min=1e-7)
        pixels = pixels.reshape(-1, 2, self.height, self.width).permute(0, 2, 3, 1)
        # pixel centres at whole numbers: half a pixel to the edge
        size = torch.tensor([self.width, self.height], dtype=pixels.dtype, device=pixels.device)
        return (pixels + 0.5) / size * 2 - 1


class EagerPhotometricLoss(nn.Module):
    """Minimum reprojection with auto-masking, all scales at full resolution.

    Reads from `outputs` what `mmscd.models.losses.PhotometricLoss` reads.

    Args:
        batch: images.
        height, width: of the images.
        alpha: weight of SSIM.
    """

    def __init__(self, batch: int, height: int, width: int, alpha: float = 0.85) -> None:
        super().__init__()
        self.alpha = alpha
        self.ssim = SSIM()
        self.back_project = BackProject(batch, height, width)
        self.project = Project(height, width)

    def reprojection_error(self, view: Tensor, target: Tensor) -> Tensor:
        """(B, 1, H, W)."""
        absolute = torch.abs(target - view).mean(1, True)
        return self.alpha * self.ssim(view, target).mean(1, True) + (1 - self.alpha) * absolute

    def synthesise(self, disp: Tensor, outputs: StepOutputs) -> list[Tensor]:
        """Every source warped into the target by one disparity."""
        target, sources = outputs.target, outputs.sources
        disp = F.interpolate(disp, target.shape[-2:], mode='bilinear', align_corners=False)
        low, high = 1 / outputs.depth_range[1], 1 / outputs.depth_range[0]
        depth = 1 / (low + (high - low) * disp)
        views = []
        for s in range(sources.shape[1]):
            points = self.back_project(depth, outputs.inv_K)
            grid = self.project(points, outputs.K, outputs.T_source_target[:, s])
            views.append(
                F.grid_sample(sources[:, s], grid, padding_mode='border', align_corners=False)
            )
        return views

    def forward(self, outputs: StepOutputs) -> Tensor:
        """The loss, a scalar."""
        target, sources = outputs.target, outputs.sources
        total = 0
        for disp in outputs.disps:
            views = self.synthesise(disp, outputs)
            warped = torch.cat([self.reprojection_error(view, target) for view in views], 1)
            identity = torch.cat(
                [self.reprojection_error(sources[:, s], target) for s in range(sources.shape[1])],
                1,
            )
            smallest, _ = torch.cat([identity, warped], 1).min(1)
            total = total + smallest.mean()
        return total / len(outputs.disps)

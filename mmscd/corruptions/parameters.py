"""The 18 corruptions by name and their parameters at the severities 1 to 5.

Names, order, groups and numbers are those of the KITTI-C benchmark (Kong et al., "RoboDepth: Robust
Out-of-Distribution Depth Estimation under Corruptions", NeurIPS 2023, table "Configuration Details"
of its documentation). Fifteen come from ImageNet-C (Hendrycks and Dietterich, "Benchmarking Neural
Network Robustness to Common Corruptions and Perturbations", ICLR 2019), `dark` and `iso_noise`
from 3D Common Corruptions (Kar et al., CVPR 2022), `color_quant` too.
"""

from __future__ import annotations

GROUPS = {
    'weather and light': ('brightness', 'dark', 'fog', 'frost', 'snow', 'contrast'),
    'sensor and motion': (
        'defocus_blur', 'glass_blur', 'motion_blur', 'zoom_blur', 'elastic_transform',
        'color_quant',
    ),
    'data and processing': (
        'gaussian_noise', 'impulse_noise', 'shot_noise', 'iso_noise', 'pixelate',
        'jpeg_compression',
    ),
}  # fmt: skip
CORRUPTIONS: tuple[str, ...] = tuple(name for names in GROUPS.values() for name in names)
SEVERITIES: tuple[int, ...] = (1, 2, 3, 4, 5)
# goes up with every change of the pixels, so that results before and after are not mixed
VERSION = 1

_GAUSSIAN = (0.08, 0.12, 0.18, 0.26, 0.38)
_PHOTONS = (60, 25, 12, 5, 3)
_SCALES = (0.6, 0.5, 0.4, 0.3, 0.2)

# name -> (what one entry is, the entries of severities 1 to 5)
PARAMETERS: dict[str, tuple[str, tuple]] = {
    'brightness': ('added to V of HSV', (0.1, 0.2, 0.3, 0.4, 0.5)),
    'dark': (
        'scale, photons at full light, noise',
        tuple((s, 10 * p, 0.1 * n) for s, p, n in zip(_SCALES, _PHOTONS, _GAUSSIAN, strict=True)),
    ),
    'fog': ('thickness, decay', ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))),
    'frost': (
        'weight of the image, of the frost',
        ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    ),
    'snow': (
        'mean, std, zoom, threshold, radius, sigma, weight of the image',
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    ),
    'contrast': ('factor about the mean', (0.4, 0.3, 0.2, 0.1, 0.05)),
    'defocus_blur': ('radius, edge blur', ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))),
    'glass_blur': (
        'sigma, reach, rounds',
        ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    ),
    'motion_blur': ('radius, sigma', ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))),
    'zoom_blur': (
        'largest zoom (exclusive), step',
        ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    ),
    'elastic_transform': ('deformation', (0.05, 0.065, 0.085, 0.1, 0.12)),
    'color_quant': ('bits per channel', (5, 4, 3, 2, 1)),
    'gaussian_noise': ('sigma', _GAUSSIAN),
    'impulse_noise': ('share of the values', (0.03, 0.06, 0.09, 0.17, 0.27)),
    'shot_noise': ('photons at full light', _PHOTONS),
    'iso_noise': ('sigma (times 0.7, after 25 photons)', _GAUSSIAN),
    'pixelate': ('factor of the size', (0.6, 0.5, 0.4, 0.3, 0.25)),
    'jpeg_compression': ('quality', (25, 18, 15, 10, 7)),
}


def get_parameters(name: str, severity: int) -> tuple | float | int:
    """The parameters of one corruption at one severity; ValueError: unknown name or severity."""
    if name not in PARAMETERS:
        raise ValueError(f'unknown corruption {name!r}: expected one of {", ".join(CORRUPTIONS)}')
    if severity not in SEVERITIES or isinstance(severity, bool):
        raise ValueError(f'severity must be one of {SEVERITIES}, got {severity!r}')
    return PARAMETERS[name][1][int(severity) - 1]

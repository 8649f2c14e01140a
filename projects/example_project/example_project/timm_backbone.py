"""Any convolutional network of timm as a backbone; timm is imported when one is built."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor

from mmscd.registry import MODELS


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """Feature maps of a timm model, fine to coarse.

    Args:
        name: of the model, e.g. `mobilenetv3_large_100`.
        channels: what `disp_head.in_channels` says; checked against the model.
        pretrained: fetch timm's weights.
        init_cfg: mmengine's initialisation, e.g. a local checkpoint.
    """

    def __init__(
        self,
        name: str,
        channels: Sequence[int],
        pretrained: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        try:
            import timm
        except ImportError:
            raise ImportError('TimmBackbone needs timm: `pip install timm`') from None
        self.network = timm.create_model(name, features_only=True, pretrained=pretrained)
        found = list(self.network.feature_info.channels())
        if found != list(channels):
            raise ValueError(f'{name} has maps of {found} channels, the config says {channels}')

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Maps of normalised images (B, 3, H, W)."""
        return tuple(self.network(x))

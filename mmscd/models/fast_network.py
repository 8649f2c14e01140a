"""A depth network in the form that predicts fastest: the same function, for inference only.

Batch norm is folded into the convolution before it, maps are NHWC, weights lie in the type and
order that the processor takes, only the finest disparity is computed, and `DispHead` becomes a
`FastDecoder`. It is a copy: the model that is trained, saved and exported stays as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .heads.disp_head import DispHead, SkipDecoder

_NHWC = torch.channels_last


class FastNetwork(nn.Module):
    """Normalised images (B, 3, H, W) to the finest disparity (B, 1, H, W), float32 at least.

    Args:
        backbone, disp_head: parts of an estimator in eval mode; they are copied.
        dtype: of weights and maps; None: as they are. Convolutions before a sigmoid keep theirs.
    """

    def __init__(
        self, backbone: nn.Module, disp_head: nn.Module, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.backbone = fold_batch_norm(copy.deepcopy(backbone))
        # another class may compute something else
        known = type(disp_head) is DispHead
        self.disp_head = FastDecoder(disp_head) if known else copy.deepcopy(disp_head)
        if isinstance(disp_head, SkipDecoder):
            self.disp_head.scales = disp_head.scales[:1]
        self.dtype = dtype or next(self.parameters()).dtype
        exact = copy.deepcopy(getattr(self.disp_head, 'predict', None))
        self.to(self.dtype)
        if exact is not None:  # eight bits of mantissa would show as bands in the depth map
            self.disp_head.predict = exact
        self.to(memory_format=_NHWC).eval().requires_grad_(False)
        if next(self.parameters()).device.type == 'cpu' and self.dtype != torch.float64:
            pack_convolutions(self)

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        feats = self.backbone(image.to(self.dtype, memory_format=_NHWC))
        disp = self.disp_head(feats)[0]
        return disp.float() if disp.dtype in (torch.float16, torch.bfloat16) else disp


class FastDecoder(nn.Module):
    """The finest disparity of a `DispHead`, in fewer operations.

    A 3x3 convolution of a map at twice its size is a transposed 4x4 convolution of the map itself:
    4 instead of 9 products per pixel, and nothing is upsampled or put beside. What reflection shows
    of the large map beyond its border is the edge of the small one, repeated. ELU writes its
    result where a border fits around.
    """

    def __init__(self, head: DispHead) -> None:
        super().__init__()
        self.skip_index, finest = head.skip_index, str(head.scales[0])
        self.reduce, self.rise, self.skip = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        for name, fuse in head.fuse.items():
            width = fuse.out_channels
            self.reduce[name] = _convolution(head.reduce[name].weight, head.reduce[name].bias)
            self.rise[name] = _rising(fuse.weight[:, :width], fuse.bias)
            if int(name) in self.skip_index:
                self.skip[name] = _convolution(fuse.weight[:, width:])
            if name == finest:
                break
        self.predict = _convolution(head.predict[finest].weight, head.predict[finest].bias)

    @torch.no_grad()
    def forward(self, feats: Sequence[Tensor]) -> list[Tensor]:
        """Of the encoder's maps, fine to coarse, the finest disparity (B, 1, h, w) in (0, 1)."""
        x = _reflect(feats[-1])
        for name, reduce in self.reduce.items():
            x = self.rise[name](_bordered_elu(reduce(x), 1))
            if name in self.skip:
                x += self.skip[name](_reflect(feats[self.skip_index[int(name)]]))
            x = _bordered_elu(x, 2)
        with torch.autocast(x.device.type, enabled=False):
            return [torch.sigmoid(self.predict(x.to(self.predict.weight.dtype)))]


def _reflect(x: Tensor) -> Tensor:
    return F.pad(x, (1, 1, 1, 1), mode='reflect')


def _bordered_elu(x: Tensor, source: int) -> Tensor:
    """ELU with a border of one pixel, which repeats the row and column that are `source` from the
    outer edge: 1 repeats the edge, 2 reflects."""
    batch, channels, height, width = x.shape
    shape = batch, channels, height + 2, width + 2
    out = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=_NHWC)
    torch.ops.aten.elu.out(x, out=out[..., 1:-1, 1:-1])
    for axis in (2, 3):
        out.select(axis, 0).copy_(out.select(axis, source))
        out.select(axis, -1).copy_(out.select(axis, -1 - source))
    return out


def _convolution(weight: Tensor, bias: Tensor | None = None) -> nn.Conv2d:
    """Without padding."""
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[-1], bias=bias is not None)
    return _filled(conv, weight, bias)


def _rising(weight: Tensor, bias: Tensor) -> nn.ConvTranspose2d:
    """A 3x3 convolution (O, I, 3, 3) after nearest upsampling by 2, for maps whose edges are
    repeated once."""
    outputs, inputs = weight.shape[:2]
    kernels = weight.flip(-1, -2).reshape(-1, 1, 3, 3)
    kernels = F.conv_transpose2d(kernels, weight.new_ones(1, 1, 2, 2))  # every pixel twice
    rising = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=3)
    return _filled(rising, kernels.reshape(outputs, inputs, 4, 4).transpose(0, 1), bias)


def _filled(module: nn.Module, weight: Tensor, bias: Tensor | None) -> nn.Module:
    module.weight = nn.Parameter(weight.detach().contiguous())
    module.bias = None if bias is None else nn.Parameter(bias.detach().clone())
    return module


def fold_batch_norm(module: nn.Module) -> nn.Module:
    """Multiply batch norms into the convolutions that are registered right before them, in place;
    both are in eval mode. Who feeds a norm otherwise must not call this."""
    children = list(module.named_children())
    for (name, child), (after, norm) in zip(children, children[1:], strict=False):
        pair = isinstance(child, nn.Conv2d) and isinstance(norm, _BatchNorm)
        if pair and norm.running_mean is not None and norm.num_features == child.out_channels:
            setattr(module, name, fuse_conv_bn_eval(child, norm))
            setattr(module, after, nn.Identity())
    for child in module.children():
        fold_batch_norm(child)
    return module


class PackedConvolution(nn.Module):
    """A convolution by oneDNN whose weights are brought into its order once, not in every call."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.bias = conv.bias
        self.options = [list(x) for x in (conv.padding, conv.stride, conv.dilation)]
        self.options.append(conv.groups)
        weight = conv.weight.detach()
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *self.options)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), NHWC, to the convolution of it."""
        given = x, self.weight, self.bias, *self.options
        return torch.ops.mkldnn._convolution_pointwise(*given, 'none', [], '')


def pack_convolutions(module: nn.Module) -> None:
    """Replace what oneDNN can pack, in place."""
    if not (torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled):
        return
    for name, child in list(module.named_children()):
        if type(child) is nn.Conv2d and child.padding_mode == 'zeros':
            setattr(module, name, PackedConvolution(child))
        else:
            pack_convolutions(child)

"""Triton kernels of view synthesis and of the reprojection error.

What they compute stands in `synthesis.py` and `photometric.py`; `_triton.py` calls them. One
program has one block of pixels of one depth map of one sample, and goes through the sources: what
is summed over sources (the gradient of depth) or compared between them (the smallest error) needs
no second kernel. Nothing is added by atomics, so the same input gives the same bits.

All tensors are contiguous. B samples, S sources, C channels, n depth maps, H x W pixels.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _place(height, width, maps, BLOCK: tl.constexpr):
    """Of this program: its pixels, their x and y, whether they are in the image, its map, and the
    map's sample and place in that."""
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    bk = tl.program_id(1)
    return pixel, pixel % width, pixel // width, pixel < height * width, bk, bk // maps, bk % maps


@triton.jit
def _project(x, y, depth, M, t):
    """Pixel (u, v) in the source, 1 / z and whether z was kept, of target pixels (x, y).

    `M` points to the 9 numbers of K R K^-1, `t` to the 3 of K t.
    """
    ray_x = tl.load(M + 0) * x + tl.load(M + 1) * y + tl.load(M + 2)
    ray_y = tl.load(M + 3) * x + tl.load(M + 4) * y + tl.load(M + 5)
    ray_z = tl.load(M + 6) * x + tl.load(M + 7) * y + tl.load(M + 8)
    z = ray_z * depth + tl.load(t + 2)
    kept = z >= 1e-7
    inverse = 1.0 / tl.where(z < 1e-7, 1e-7, z)
    u = (ray_x * depth + tl.load(t + 0)) * inverse
    v = (ray_y * depth + tl.load(t + 1)) * inverse
    return u, v, inverse, kept, ray_x, ray_y, ray_z


@triton.jit
def _border(u, size):
    """A coordinate as border padding reads it: lower and upper neighbour, weight of the upper one,
    and whether the coordinate was inside, where alone it has a gradient."""
    inside = (u > 0) & (u < size - 1)
    clipped = tl.where(u < 0, 0.0, tl.where(u > size - 1, size - 1.0, u))
    low = tl.floor(tl.where(clipped == clipped, clipped, 0.0))  # NaN has no neighbours
    index = low.to(tl.int32)
    upper = tl.minimum(index + 1, size - 1)
    return index, upper, clipped - low, inside


@triton.jit
def warp_forward(
    sources,
    depth,
    M,
    t,
    views,
    height,
    width,
    maps,
    S: tl.constexpr,
    C: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """`sources` (B, S, C, H, W) sampled where `depth` (B, n, H, W), `M` (B, S, 9) and `t` (B, S, 3)
    put the target's pixels; to `views` (B, S, C, n, H, W)."""
    pixel, x, y, mask, bk, b, k = _place(height, width, maps, BLOCK)
    area = height * width
    x, y = x.to(depth.dtype.element_ty), y.to(depth.dtype.element_ty)
    d = tl.load(depth + bk.to(tl.int64) * area + pixel, mask=mask, other=1.0)
    for s in tl.static_range(S):
        bs = (b * S + s).to(tl.int64)
        u, v, _, _, _, _, _ = _project(x, y, d, M + bs * 9, t + bs * 3)
        x0, x1, wx, _ = _border(u, width)
        y0, y1, wy, _ = _border(v, height)
        for c in range(C):
            image = sources + (bs * C + c) * area
            top = tl.load(image + y0 * width + x0, mask=mask) * (1 - wx)
            top += tl.load(image + y0 * width + x1, mask=mask) * wx
            low = tl.load(image + y1 * width + x0, mask=mask) * (1 - wx)
            low += tl.load(image + y1 * width + x1, mask=mask) * wx
            out = views + ((bs * C + c) * maps + k) * area
            tl.store(out + pixel, top * (1 - wy) + low * wy, mask=mask)


@triton.jit
def warp_backward(
    grad_views,
    sources,
    depth,
    M,
    t,
    grad_depth,
    partial,
    height,
    width,
    maps,
    S: tl.constexpr,
    C: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Gradients of `warp_forward`: to `grad_depth` (B, n, H, W), and, summed over the pixels of a
    block, to `partial` (blocks, B, n, S, 12): 9 of `M`, then 3 of `t`."""
    pixel, x, y, mask, bk, b, k = _place(height, width, maps, BLOCK)
    area = height * width
    x, y = x.to(depth.dtype.element_ty), y.to(depth.dtype.element_ty)
    d = tl.load(depth + bk.to(tl.int64) * area + pixel, mask=mask, other=1.0)
    to_depth = tl.zeros_like(d)
    for s in tl.static_range(S):
        bs = (b * S + s).to(tl.int64)
        u, v, inverse, kept, ray_x, ray_y, ray_z = _project(x, y, d, M + bs * 9, t + bs * 3)
        x0, x1, wx, inside_x = _border(u, width)
        y0, y1, wy, inside_y = _border(v, height)
        to_u, to_v = tl.zeros_like(d), tl.zeros_like(d)
        for c in range(C):
            image = sources + (bs * C + c) * area
            a = tl.load(image + y0 * width + x0, mask=mask, other=0.0)
            e = tl.load(image + y0 * width + x1, mask=mask, other=0.0)
            f = tl.load(image + y1 * width + x0, mask=mask, other=0.0)
            h = tl.load(image + y1 * width + x1, mask=mask, other=0.0)
            g_at = grad_views + ((bs * C + c) * maps + k) * area
            g = tl.load(g_at + pixel, mask=mask, other=0.0)
            to_u += g * ((e - a) * (1 - wy) + (h - f) * wy)
            to_v += g * ((f - a) * (1 - wx) + (h - e) * wx)
        to_x = tl.where(inside_x & mask, to_u, 0.0) * inverse
        to_y = tl.where(inside_y & mask, to_v, 0.0) * inverse
        # a coordinate without a gradient may be infinite: it must not become 0 * inf
        to_z = -(to_x * tl.where(inside_x, u, 0.0) + to_y * tl.where(inside_y, v, 0.0))
        to_z = tl.where(kept, to_z, 0.0)
        to_depth += to_x * ray_x + to_y * ray_y + to_z * ray_z
        out = partial + ((tl.program_id(0) * tl.num_programs(1) + bk).to(tl.int64) * S + s) * 12
        for row in tl.static_range(3):
            g = to_x if row == 0 else (to_y if row == 1 else to_z)
            tl.store(out + 3 * row + 0, tl.sum(g * d * x))
            tl.store(out + 3 * row + 1, tl.sum(g * d * y))
            tl.store(out + 3 * row + 2, tl.sum(g * d))
            tl.store(out + 9 + row, tl.sum(g))
    tl.store(grad_depth + bk.to(tl.int64) * area + pixel, to_depth, mask=mask)


@triton.jit
def _reflect(i, size):
    """Index of a row or column one beyond the edge, reflected."""
    i = tl.where(i < 0, -i, i)
    return tl.where(i > size - 1, 2 * (size - 1) - i, i)


@triton.jit
def _ssim(view, target, x, y, height, width, mask, C1: tl.constexpr, C2: tl.constexpr):
    """Means of both 3x3 windows and the four factors of SSIM = n1 n2 / (d1 d2).

    `view` is a pointer to an image, or one for every pixel.
    """
    zero = tl.zeros(x.shape, dtype=target.dtype.element_ty)
    a, b, aa, bb, ab = zero, zero, zero, zero, zero
    for dy in tl.static_range(-1, 2):
        row = _reflect(y + dy, height) * width
        for dx in tl.static_range(-1, 2):
            at = row + _reflect(x + dx, width)
            p = tl.load(view + at, mask=mask, other=0.0)
            q = tl.load(target + at, mask=mask, other=0.0)
            a += p
            b += q
            aa += p * p
            bb += q * q
            ab += p * q
    a, b = a / 9, b / 9
    n1 = 2 * a * b + C1
    n2 = 2 * (ab / 9 - a * b) + C2
    d1 = a * a + b * b + C1
    d2 = (aa / 9 - a * a) + (bb / 9 - b * b) + C2
    return a, b, n1, n2, d1, d2


@triton.jit
def reprojection_forward(
    views,
    target,
    identity,
    error,
    choice,
    height,
    width,
    maps,
    alpha,
    C1: tl.constexpr,
    C2: tl.constexpr,
    AUTO_MASK: tl.constexpr,
    S: tl.constexpr,
    C: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The smallest error of the sources' `views` (B, S, C, n, H, W) against `target` (B, C, H, W),
    or `identity` (B, H, W) where no view beats it: to `error` (B, n, H, W), and which source it is
    to `choice` (B, n, H, W), -1 for none."""
    pixel, x, y, mask, bk, b, k = _place(height, width, maps, BLOCK)
    area = height * width
    best = tl.zeros(x.shape, dtype=views.dtype.element_ty)
    chosen = tl.zeros(x.shape, dtype=tl.int32)
    for s in tl.static_range(S):
        total = tl.zeros(x.shape, dtype=views.dtype.element_ty)
        for c in range(C):
            view = views + (((b * S + s).to(tl.int64) * C + c) * maps + k) * area
            image = target + (b * C + c).to(tl.int64) * area
            _, _, n1, n2, d1, d2 = _ssim(view, image, x, y, height, width, mask, C1, C2)
            half = (1 - n1 * n2 / (d1 * d2)) * 0.5
            half = tl.where(half < 0, 0.0, tl.where(half > 1, 1.0, half))
            p = tl.load(view + pixel, mask=mask, other=0.0)
            q = tl.load(image + pixel, mask=mask, other=0.0)
            total += alpha * half + (1 - alpha) * tl.abs(p - q)
        total = total / C
        if s == 0:
            best = total
        else:
            smaller = (total < best) | (total != total)  # NaN is not passed over
            best = tl.where(smaller, total, best)
            chosen = tl.where(smaller, s, chosen)
    if AUTO_MASK:
        still = tl.load(identity + b.to(tl.int64) * area + pixel, mask=mask, other=0.0)
        moved = best < still
        best = tl.where(moved, best, still)
        chosen = tl.where(moved, chosen, -1)
    out = bk.to(tl.int64) * area + pixel
    tl.store(error + out, best, mask=mask)
    tl.store(choice + out, chosen.to(tl.int8), mask=mask)


@triton.jit
def window_gradients(
    grad,
    views,
    target,
    choice,
    windows,
    height,
    width,
    maps,
    alpha,
    C1: tl.constexpr,
    C2: tl.constexpr,
    S: tl.constexpr,
    C: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Gradients of the error to the window means of the chosen view, of its square and of its
    product with the target: to `windows` (B, 3, C, n, H, W)."""
    pixel, x, y, mask, bk, b, k = _place(height, width, maps, BLOCK)
    area = height * width
    at = bk.to(tl.int64) * area + pixel
    s = tl.load(choice + at, mask=mask, other=-1).to(tl.int64)
    g = tl.load(grad + at, mask=mask & (s >= 0), other=0.0)
    for c in range(C):
        view = views + (((b * S + tl.maximum(s, 0)) * C + c) * maps + k) * area
        image = target + (b * C + c).to(tl.int64) * area
        a, m, n1, n2, d1, d2 = _ssim(view, image, x, y, height, width, mask, C1, C2)
        ssim = n1 * n2 / (d1 * d2)
        inside = (ssim <= 1) & (ssim >= -1)
        weight = tl.where(inside, g * (-0.5 * alpha / C), 0.0) / (d1 * d2)
        to_mean = 2 * (m * (n2 - n1) - ssim * a * (d2 - d1)) * weight
        out = windows + ((b * 3 * C + c).to(tl.int64) * maps + k) * area + pixel
        step = C * maps * area
        tl.store(out, to_mean, mask=mask)
        tl.store(out + step, -ssim * d1 * weight, mask=mask)
        tl.store(out + 2 * step, 2 * n1 * weight, mask=mask)


@triton.jit
def _times(p, q, size):
    """How often the window around `q` reads row or column `p`, which is at most one away; 0 where
    `q` lies outside."""
    reflected = ((q == 0) & (p == 1)) | ((q == size - 1) & (p == size - 2))
    count = tl.where((p != q) & reflected, 2, 1)
    count = tl.where((p != q) & (size == 2), 2, count)
    return tl.where((q >= 0) & (q < size), count, 0)


@triton.jit
def reprojection_backward(
    grad,
    views,
    target,
    choice,
    windows,
    grad_views,
    height,
    width,
    maps,
    alpha,
    S: tl.constexpr,
    C: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Gradient of the error to the views, out of those of `window_gradients`: to `grad_views`
    (B, S, C, n, H, W)."""
    pixel, x, y, mask, bk, b, k = _place(height, width, maps, BLOCK)
    area = height * width
    chosen = choice + bk.to(tl.int64) * area
    g = tl.load(grad + bk.to(tl.int64) * area + pixel, mask=mask, other=0.0)
    own = tl.load(chosen + pixel, mask=mask, other=-1)
    step = C * maps * area
    for c in range(C):
        q = tl.load(target + (b * C + c).to(tl.int64) * area + pixel, mask=mask, other=0.0)
        window = windows + ((b * 3 * C + c).to(tl.int64) * maps + k) * area
        for s in range(S):
            at = (((b * S + s).to(tl.int64) * C + c) * maps + k) * area + pixel
            p = tl.load(views + at, mask=mask, other=0.0)
            sign = tl.where(p > q, 1.0, tl.where(p < q, -1.0, 0.0))
            out = tl.where(own == s, g, 0.0) * sign * ((1 - alpha) / C)
            for dy in tl.static_range(-1, 2):
                times_y = _times(y, y + dy, height)
                for dx in tl.static_range(-1, 2):
                    times = times_y * _times(x, x + dx, width)
                    near = pixel + dy * width + dx
                    read = mask & (times > 0)
                    read = read & (tl.load(chosen + near, mask=read, other=-1) == s)
                    value = tl.load(window + near, mask=read, other=0.0)
                    value += 2 * p * tl.load(window + step + near, mask=read, other=0.0)
                    value += q * tl.load(window + 2 * step + near, mask=read, other=0.0)
                    out += value * times / 9
            tl.store(grad_views + at, out, mask=mask)

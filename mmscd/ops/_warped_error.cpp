// View synthesis and reprojection error in one pass over the target, for CPUs.
//
// What is computed stands in `synthesis.py` and `photometric.py`; `_cpp.py` builds this file and
// calls it. Neither warped views nor window statistics ever become tensors: a thread goes down a
// band of rows of one depth map of one sample and keeps the last rows of everything in its cache.
// The backward pass recomputes. A row's numbers depend on nothing but the input, and sums are added
// in the order of bands: results are the same bits for any number of threads.
//
// Tensors are contiguous, but samples of sources and targets may be further apart: sources (B, S, C, H, W), depth (B, n, H, W), M = K R K^-1
// (B, S, 3, 3), t = K t (B, S, 3), target (B, C, H, W), identity (B, 1, H, W), error, choice and
// their gradients (B, n, H, W). Without depth the sources are judged as they are, and n is 1.

#include <cmath>
#include <cstdint>
#include <vector>

namespace {

constexpr int64_t BAND = 48;  // rows; more means fewer rows at the seams, which are done twice
constexpr int64_t RING = 4;   // rows that are kept, a power of two
constexpr double MIDDLE = 0.5;  // taken off all colours: variances lose fewer digits to the means
constexpr int64_t PAD = 16;   // numbers before a row: room for the reflected column, and alignment

template <typename T>
struct Step {
  const T *sources, *target, *depth, *M, *t, *identity, *grad;
  T *error, *to_depth, *to_M, *to_t;
  int8_t *choice;
  int64_t B, S, C, n, H, W;
  int64_t source_step, target_step;  // from a sample to the next
  T alpha, C1, C2;
};

// The last rows of some maps, with a reflected column at both ends.
template <typename T>
struct Ring {
  std::vector<T> data;
  int64_t width, stride;
  Ring(int64_t maps, int64_t W) : width(W), stride(W + 2 * PAD) {
    data.resize(maps * RING * stride);
  }
  T *row(int64_t map, int64_t y) {
    return data.data() + (map * RING + (y & (RING - 1))) * stride + PAD;
  }
  void reflect(int64_t map, int64_t y) {
    T *r = row(map, y);
    r[-1] = r[1];
    r[width] = r[width - 2];
  }
};

template <typename T>
struct Projected {  // of one row: where its pixels are read in a source
  std::vector<T> u, v, inverse, wx, wy;
  std::vector<int32_t> a, e, f, h;  // the four neighbours
  explicit Projected(int64_t W)
      : u(W), v(W), inverse(W), wx(W), wy(W), a(W), e(W), f(W), h(W) {}
};

// Whether all coordinates are numbers.
template <typename T>
bool project(const Step<T> &p, const T *M, const T *t, const T *depth, int64_t row,
             Projected<T> &at) {
  const T y = row, last_x = p.W - 1, last_y = p.H - 1;
  const T bx = M[1] * y + M[2], by = M[4] * y + M[5], bz = M[7] * y + M[8];
  const int32_t width = p.W, end_x = p.W - 1, end_y = p.H - 1;
  T *u = at.u.data(), *v = at.v.data(), *inverse = at.inverse.data();
  T *wx = at.wx.data(), *wy = at.wy.data();
  int32_t *a = at.a.data(), *e = at.e.data(), *f = at.f.data(), *h = at.h.data();
  int32_t bad = 0;
#pragma omp simd reduction(| : bad)
  for (int32_t x = 0; x < width; ++x) {
    const T z = (M[6] * x + bz) * depth[x] + t[2];
    const T i = T(1) / (z < T(1e-7) ? T(1e-7) : z);
    const T uu = ((M[0] * x + bx) * depth[x] + t[0]) * i;
    const T vv = ((M[3] * x + by) * depth[x] + t[1]) * i;
    bad |= (uu == uu && vv == vv) ? 0 : 1;
    T cu = uu > 0 ? uu : T(0), cv = vv > 0 ? vv : T(0);  // NaN becomes 0, which can be read
    cu = cu < last_x ? cu : last_x;
    cv = cv < last_y ? cv : last_y;
    const int32_t x0 = cu, y0 = cv;
    const int32_t right = x0 < end_x ? 1 : 0, below = y0 < end_y ? width : 0;
    u[x] = uu;
    v[x] = vv;
    inverse[x] = i;
    wx[x] = cu - x0;
    wy[x] = cv - y0;
    a[x] = y0 * width + x0;
    e[x] = a[x] + right;
    f[x] = a[x] + below;
    h[x] = f[x] + right;
  }
  return bad == 0;
}

template <typename T>
void sample(const T *image, const Projected<T> &at, int64_t W, T *out) {
  const T *wx = at.wx.data(), *wy = at.wy.data();
  const int32_t *a = at.a.data(), *e = at.e.data(), *f = at.f.data(), *h = at.h.data();
#pragma omp simd
  for (int64_t x = 0; x < W; ++x) {
    const T top = image[a[x]] + (image[e[x]] - image[a[x]]) * wx[x];
    const T low = image[f[x]] + (image[h[x]] - image[f[x]]) * wx[x];
    out[x] = top + (low - top) * wy[x] - T(MIDDLE);
  }
}

template <typename T>
void sample_with_slopes(const T *image, const Projected<T> &at, int64_t W, T *out, T *du, T *dv) {
  const T *wx = at.wx.data(), *wy = at.wy.data();
  const int32_t *a = at.a.data(), *e = at.e.data(), *f = at.f.data(), *h = at.h.data();
#pragma omp simd
  for (int64_t x = 0; x < W; ++x) {
    const T A = image[a[x]], F = image[f[x]];
    const T top_step = image[e[x]] - A, low_step = image[h[x]] - F;
    const T top = A + top_step * wx[x], low = F + low_step * wx[x];
    out[x] = top + (low - top) * wy[x] - T(MIDDLE);
    du[x] = top_step + (low_step - top_step) * wy[x];
    dv[x] = low - top;
  }
}

// Sums over three rows, in columns -1 .. W, of q and q^2.
template <typename T>
void target_columns(const T *q0, const T *q1, const T *q2, int64_t W, T *sum, T *square) {
#pragma omp simd
  for (int64_t x = -1; x <= W; ++x) {
    sum[x] = q0[x] + q1[x] + q2[x];
    square[x] = q0[x] * q0[x] + q1[x] * q1[x] + q2[x] * q2[x];
  }
}

// The same of p, p^2 and p q.
template <typename T>
void view_columns(const T *p0, const T *p1, const T *p2, const T *q0, const T *q1, const T *q2,
                  int64_t W, T *sum, T *square, T *cross) {
#pragma omp simd
  for (int64_t x = -1; x <= W; ++x) {
    sum[x] = p0[x] + p1[x] + p2[x];
    square[x] = p0[x] * p0[x] + p1[x] * p1[x] + p2[x] * p2[x];
    cross[x] = p0[x] * q0[x] + p1[x] * q1[x] + p2[x] * q2[x];
  }
}

template <typename T>
inline T three(const T *x) {
  return (x[-1] + x[0] + x[1]) * T(1.0 / 9);
}

template <typename T>
struct Columns {  // one row of column sums of the target and of a view
  Ring<T> ring;
  explicit Columns(int64_t W) : ring(2, W) {}
  T *b() { return ring.row(0, 0); }
  T *bb() { return ring.row(0, 1); }
  T *a() { return ring.row(0, 2); }
  T *aa() { return ring.row(0, 3); }
  T *ab() { return ring.row(1, 0); }
};

// Of SSIM = n1 n2 / (d1 d2) at column x: the means, less MIDDLE too, and the four factors.
template <typename T>
struct Factors {
  T a, b, mean_a, mean_b, n1, n2, d1, d2;
  Factors(const T *sum_a, const T *sum_b, const T *sum_aa, const T *sum_bb, const T *sum_ab, T C1,
          T C2) {
    a = three(sum_a), b = three(sum_b);
    mean_a = a + T(MIDDLE), mean_b = b + T(MIDDLE);
    n1 = 2 * mean_a * mean_b + C1, n2 = 2 * (three(sum_ab) - a * b) + C2;
    d1 = mean_a * mean_a + mean_b * mean_b + C1;
    d2 = (three(sum_aa) - a * a) + (three(sum_bb) - b * b) + C2;
  }
};

template <typename T>
void add_error(const Step<T> &p, Columns<T> &sums, const T *view, const T *target, T *total) {
  const T *a = sums.a(), *b = sums.b(), *aa = sums.aa(), *bb = sums.bb(), *ab = sums.ab();
  const T alpha = p.alpha, beta = 1 - p.alpha, C1 = p.C1, C2 = p.C2;
#pragma omp simd
  for (int64_t x = 0; x < p.W; ++x) {
    const Factors<T> f(a + x, b + x, aa + x, bb + x, ab + x, C1, C2);
    T half = (1 - f.n1 * f.n2 / (f.d1 * f.d2)) * T(0.5);
    half = half < 0 ? T(0) : half;
    half = half > 1 ? T(1) : half;
    total[x] += alpha * half + beta * std::fabs(view[x] - target[x]);
  }
}

// Gradients to the window means of the view, of its square and of its product with the target.
template <typename T>
void window_row(const Step<T> &p, Columns<T> &sums, const T *chosen, T *to_mean, T *to_square,
                T *to_cross) {
  const T *a = sums.a(), *b = sums.b(), *aa = sums.aa(), *bb = sums.bb(), *ab = sums.ab();
  const T C1 = p.C1, C2 = p.C2, factor = T(-0.5) * p.alpha / p.C;
#pragma omp simd
  for (int64_t x = 0; x < p.W; ++x) {
    const Factors<T> f(a + x, b + x, aa + x, bb + x, ab + x, C1, C2);
    const T weight = chosen[x] * factor;
    const T inverse = 1 / (f.d1 * f.d2), ssim = f.n1 * f.n2 * inverse;
    const T w = (ssim <= 1 && ssim >= -1 ? weight : T(0)) * inverse;
    const T slope = f.mean_b * f.n2 - f.b * f.n1 - ssim * (f.mean_a * f.d2 - f.a * f.d1);
    to_mean[x] = 2 * slope * w;
    to_square[x] = -ssim * f.d1 * w;
    to_cross[x] = 2 * f.n1 * w;
  }
}

int64_t reflected(int64_t y, int64_t H) { return y < 0 ? -y : (y >= H ? 2 * (H - 1) - y : y); }

// What a thread keeps while it goes down a band.
template <typename T>
struct Work {
  Ring<T> target, view, du, dv, windows, chosen;
  Columns<T> sums;
  Projected<T> at;
  std::vector<T> totals, back;
  Work(const Step<T> &p, bool backward)
      : target(p.C, p.W), view(p.S * p.C, p.W), du(backward ? p.S * p.C : 0, p.W),
        dv(backward ? p.S * p.C : 0, p.W), windows(backward ? 3 * p.S * p.C : 0, p.W),
        chosen(p.S, p.W), sums(p.W), at(p.W), totals(p.S * p.W), back(5 * (p.W + 2 * PAD)) {}
};

template <typename T>
bool produce_row(const Step<T> &p, Work<T> &w, int64_t b, int64_t k, int64_t y, bool slopes) {
  const int64_t area = p.H * p.W;
  bool good = true;
  for (int64_t c = 0; c < p.C; ++c) {
    const T *from = p.target + b * p.target_step + c * area + y * p.W;
    T *to = w.target.row(c, y);
    for (int64_t x = 0; x < p.W; ++x) to[x] = from[x] - T(MIDDLE);
    w.target.reflect(c, y);
  }
  for (int64_t s = 0; s < p.S; ++s) {
    const int64_t bs = b * p.S + s;
    if (p.depth) {
      const T *depth = p.depth + (b * p.n + k) * area + y * p.W;
      good &= project(p, p.M + bs * 9, p.t + bs * 3, depth, y, w.at);
    }
    for (int64_t c = 0; c < p.C; ++c) {
      const T *image = p.sources + b * p.source_step + (s * p.C + c) * area;
      const int64_t map = s * p.C + c;
      T *to = w.view.row(map, y);
      if (!p.depth)
        for (int64_t x = 0; x < p.W; ++x) to[x] = image[y * p.W + x] - T(MIDDLE);
      else if (slopes)
        sample_with_slopes(image, w.at, p.W, to, w.du.row(map, y), w.dv.row(map, y));
      else
        sample(image, w.at, p.W, to);
      w.view.reflect(map, y);
    }
  }
  return good;
}

template <typename T>
void sum_target(const Step<T> &p, Work<T> &w, int64_t c, int64_t y) {
  const int64_t above = reflected(y - 1, p.H), below = reflected(y + 1, p.H);
  target_columns(w.target.row(c, above), w.target.row(c, y), w.target.row(c, below), p.W,
                 w.sums.b(), w.sums.bb());
}

template <typename T>
void sum_view(const Step<T> &p, Work<T> &w, int64_t s, int64_t c, int64_t y) {
  const int64_t above = reflected(y - 1, p.H), below = reflected(y + 1, p.H);
  const int64_t map = s * p.C + c;
  view_columns(w.view.row(map, above), w.view.row(map, y), w.view.row(map, below),
               w.target.row(c, above), w.target.row(c, y), w.target.row(c, below), p.W,
               w.sums.a(), w.sums.aa(), w.sums.ab());
}

template <typename T>
void error_row(const Step<T> &p, Work<T> &w, int64_t b, int64_t k, int64_t y) {
  T *totals = w.totals.data();
  for (int64_t i = 0; i < p.S * p.W; ++i) totals[i] = 0;
  for (int64_t c = 0; c < p.C; ++c) {
    sum_target(p, w, c, y);
    for (int64_t s = 0; s < p.S; ++s) {
      sum_view(p, w, s, c, y);
      add_error(p, w.sums, w.view.row(s * p.C + c, y), w.target.row(c, y), totals + s * p.W);
    }
  }
  const int64_t out = ((b * p.n + k) * p.H + y) * p.W;
  const T *still = p.identity ? p.identity + (b * p.H + y) * p.W : nullptr;
  T *error = p.error + out;
  int8_t *choice = p.choice + out;
  const T share = T(1) / p.C;
#pragma omp simd
  for (int64_t x = 0; x < p.W; ++x) {
    error[x] = totals[x] * share;
    choice[x] = 0;
  }
  for (int64_t s = 1; s < p.S; ++s) {
    const T *others = totals + s * p.W;
#pragma omp simd
    for (int64_t x = 0; x < p.W; ++x) {
      const T best = error[x], other = others[x] * share;
      const bool smaller = other < best || other != other;  // NaN is not passed over
      error[x] = smaller ? other : best;
      choice[x] = smaller ? int8_t(s) : choice[x];
    }
  }
  if (!still) return;
#pragma omp simd
  for (int64_t x = 0; x < p.W; ++x) {
    const T best = error[x];
    choice[x] = best < still[x] ? choice[x] : int8_t(-1);
    error[x] = best < still[x] ? best : still[x];
  }
}

template <typename T>
void windows_of_row(const Step<T> &p, Work<T> &w, int64_t b, int64_t k, int64_t y) {
  const int64_t at = ((b * p.n + k) * p.H + y) * p.W;
  const int8_t *choice = p.choice + at;
  const T *grad = p.grad + at;
  for (int64_t s = 0; s < p.S; ++s) {
    T *chosen = w.chosen.row(s, y);
    const int8_t own = s;
#pragma omp simd
    for (int64_t x = 0; x < p.W; ++x) chosen[x] = choice[x] == own ? grad[x] : T(0);
  }
  for (int64_t c = 0; c < p.C; ++c) {
    sum_target(p, w, c, y);
    for (int64_t s = 0; s < p.S; ++s) {
      sum_view(p, w, s, c, y);
      const int64_t map = 3 * (s * p.C + c);
      window_row(p, w.sums, w.chosen.row(s, y), w.windows.row(map, y), w.windows.row(map + 1, y),
                 w.windows.row(map + 2, y));
      for (int64_t i = 0; i < 3; ++i) {  // outside of the image there are no windows
        w.windows.row(map + i, y)[-1] = 0;
        w.windows.row(map + i, y)[p.W] = 0;
      }
    }
  }
}

// Gradients to the view at row y, times its slopes: added to to_u, to_v.
template <typename T>
void add_view_gradient(const Step<T> &p, Work<T> &w, int64_t s, int64_t c, int64_t y,
                       T *to_u, T *to_v) {
  const int64_t map = s * p.C + c, stride = p.W + 2 * PAD;
  // how often the windows of the rows above and below read this one
  const T up = y == 0 ? 0 : (y == 1 ? 2 : 1);
  const T down = y == p.H - 1 ? 0 : (y == p.H - 2 ? 2 : 1);
  const int64_t above = y == 0 ? y : y - 1, below = y == p.H - 1 ? y : y + 1;
  T *column[3];
  for (int64_t i = 0; i < 3; ++i) {
    column[i] = w.back.data() + (2 + i) * stride + PAD;
    const T *r0 = w.windows.row(3 * map + i, above), *r1 = w.windows.row(3 * map + i, y);
    const T *r2 = w.windows.row(3 * map + i, below);
    T *out = column[i];
#pragma omp simd
    for (int64_t x = -1; x <= p.W; ++x) out[x] = up * r0[x] + r1[x] + down * r2[x];
  }
  const T *mean = column[0], *square = column[1], *cross = column[2];
  const T *a = w.view.row(map, y), *b = w.target.row(c, y);
  const T *du = w.du.row(map, y), *dv = w.dv.row(map, y), *chosen = w.chosen.row(s, y);
  const T factor = (1 - p.alpha) / p.C;
  auto add = [&](int64_t x, T m, T q, T r, T g) {
    const T value = m + 2 * a[x] * q + b[x] * r + g;
    to_u[x] += value * du[x];
    to_v[x] += value * dv[x];
  };
#pragma omp simd
  for (int64_t x = 0; x < p.W; ++x) {
    const T sign = a[x] > b[x] ? T(1) : (a[x] < b[x] ? T(-1) : T(0));
    add(x, three(mean + x), three(square + x), three(cross + x), sign * factor * chosen[x]);
  }
  // the windows of the first and the last column read their neighbour twice
  for (int64_t end = 0; end < 2; ++end) {
    const int64_t from = end ? p.W - 1 : 0, to = end ? p.W - 2 : 1;
    add(to, mean[from] * T(1.0 / 9), square[from] * T(1.0 / 9), cross[from] * T(1.0 / 9), T(0));
  }
}

// Gradient to depth, and to M and t the sums of a row, which are added to `sums`.
template <typename T>
void pose_row(const Step<T> &p, Work<T> &w, int64_t b, int64_t k, int64_t s, int64_t y,
              const T *to_u, const T *to_v, double *sums) {
  const T *M = p.M + (b * p.S + s) * 9, *t = p.t + (b * p.S + s) * 3;
  const int64_t row = ((b * p.n + k) * p.H + y) * p.W;
  const T *depth = p.depth + row, *u = w.at.u.data(), *v = w.at.v.data();
  const T *inverse = w.at.inverse.data();
  T *to_depth = p.to_depth + row;
  project(p, M, t, depth, y, w.at);
  const T bx = M[1] * y + M[2], by = M[4] * y + M[5], bz = M[7] * y + M[8];
  const T last_x = p.W - 1, last_y = p.H - 1;
  T dx0 = 0, dx1 = 0, dx2 = 0, d0 = 0, d1 = 0, d2 = 0, g0 = 0, g1 = 0, g2 = 0;
#pragma omp simd reduction(+ : dx0, dx1, dx2, d0, d1, d2, g0, g1, g2)
  for (int32_t x = 0; x < int32_t(p.W); ++x) {
    const T d = depth[x];
    const T rx = M[0] * x + bx, ry = M[3] * x + by, rz = M[6] * x + bz;
    const bool in_x = u[x] > 0 && u[x] < last_x, in_y = v[x] > 0 && v[x] < last_y;
    const T gx = (in_x ? to_u[x] : T(0)) * inverse[x];
    const T gy = (in_y ? to_v[x] : T(0)) * inverse[x];
    // a coordinate without a gradient may be infinite: it must not become 0 * inf
    T gz = -(gx * (in_x ? u[x] : T(0)) + gy * (in_y ? v[x] : T(0)));
    gz = rz * d + t[2] < T(1e-7) ? T(0) : gz;
    const T along = gx * rx + gy * ry + gz * rz;
    to_depth[x] = s == 0 ? along : to_depth[x] + along;
    dx0 += gx * d * x; dx1 += gy * d * x; dx2 += gz * d * x;
    d0 += gx * d; d1 += gy * d; d2 += gz * d;
    g0 += gx; g1 += gy; g2 += gz;
  }
  const double dx[3] = {dx0, dx1, dx2}, d[3] = {d0, d1, d2}, g[3] = {g0, g1, g2};
  for (int64_t i = 0; i < 3; ++i) {
    sums[3 * i] += dx[i];
    sums[3 * i + 1] += d[i] * y;
    sums[3 * i + 2] += d[i];
    sums[9 + i] += g[i];
  }
}

template <typename T>
void gradient_row(const Step<T> &p, Work<T> &w, int64_t b, int64_t k, int64_t y, double *sums) {
  const int64_t stride = p.W + 2 * PAD;
  T *to_u = w.back.data(), *to_v = to_u + stride;
  for (int64_t s = 0; s < p.S; ++s) {
    for (int64_t i = 0; i < 2 * stride; ++i) to_u[i] = 0;
    for (int64_t c = 0; c < p.C; ++c) add_view_gradient(p, w, s, c, y, to_u, to_v);
    pose_row(p, w, b, k, s, y, to_u, to_v, sums + 12 * s);
  }
}

template <typename T>
bool forward(const Step<T> &p, int threads) {
  const int64_t bands = (p.H + BAND - 1) / BAND, units = p.B * bands * p.n;
  int bad = 0;
#pragma omp parallel num_threads(threads) reduction(| : bad)
  {
    Work<T> w(p, false);
#pragma omp for schedule(dynamic)
    for (int64_t unit = 0; unit < units; ++unit) {
      const int64_t k = unit % p.n, band = unit / p.n % bands, b = unit / p.n / bands;
      const int64_t begin = band * BAND, end = begin + BAND < p.H ? begin + BAND : p.H;
      for (int64_t y = begin - 1; y <= end; ++y) {
        if (y >= 0 && y < p.H) bad |= !produce_row(p, w, b, k, y, false);
        if (y - 1 >= begin) error_row(p, w, b, k, y - 1);
      }
    }
  }
  return bad == 0;
}

template <typename T>
void backward(const Step<T> &p, int threads) {
  const int64_t bands = (p.H + BAND - 1) / BAND, units = p.B * bands * p.n;
  std::vector<double> sums(units * p.S * 12, 0.0);
#pragma omp parallel num_threads(threads)
  {
    Work<T> w(p, true);
#pragma omp for schedule(dynamic)
    for (int64_t unit = 0; unit < units; ++unit) {
      const int64_t k = unit % p.n, band = unit / p.n % bands, b = unit / p.n / bands;
      const int64_t begin = band * BAND, end = begin + BAND < p.H ? begin + BAND : p.H;
      for (int64_t y = begin - 2; y <= end + 1; ++y) {
        if (y >= 0 && y < p.H) produce_row(p, w, b, k, y, true);
        if (y - 1 >= begin - 1 && y - 1 >= 0 && y - 1 < p.H) windows_of_row(p, w, b, k, y - 1);
        if (y - 2 >= begin) gradient_row(p, w, b, k, y - 2, sums.data() + unit * p.S * 12);
      }
    }
  }
  for (int64_t b = 0; b < p.B; ++b)
    for (int64_t i = 0; i < p.S * 12; ++i) {
      double total = 0;
      for (int64_t part = 0; part < bands * p.n; ++part)
        total += sums[(b * bands * p.n + part) * p.S * 12 + i];
      const int64_t bs = b * p.S + i / 12, place = i % 12;
      if (place < 9)
        p.to_M[bs * 9 + place] = total;
      else
        p.to_t[bs * 3 + place - 9] = total;
    }
}

template <typename T>
Step<T> step(const T *sources, const T *target, const T *depth, const T *M, const T *t,
             int8_t *choice, const int64_t *sizes, const double *numbers) {
  Step<T> p{};
  p.sources = sources, p.target = target, p.depth = depth, p.M = M, p.t = t, p.choice = choice;
  p.B = sizes[0], p.S = sizes[1], p.C = sizes[2], p.n = sizes[3], p.H = sizes[4], p.W = sizes[5];
  p.source_step = sizes[6], p.target_step = sizes[7];
  p.alpha = numbers[0], p.C1 = numbers[1], p.C2 = numbers[2];
  return p;
}

}  // namespace

#define MMSCD_KERNELS(T, NAME)                                                                    \
  extern "C" int mmscd_forward_##NAME(                                                            \
      const T *sources, const T *target, const T *depth, const T *M, const T *t,                  \
      const T *identity, T *error, int8_t *choice, const int64_t *sizes, const double *numbers,   \
      int threads) {                                                                              \
    Step<T> p = step<T>(sources, target, depth, M, t, choice, sizes, numbers);                    \
    p.identity = identity;                                                                        \
    p.error = error;                                                                              \
    return forward(p, threads) ? 0 : 1;                                                           \
  }                                                                                               \
  extern "C" int mmscd_backward_##NAME(                                                           \
      const T *sources, const T *target, const T *depth, const T *M, const T *t, const T *grad,   \
      int8_t *choice, T *to_depth, T *to_M, T *to_t, const int64_t *sizes, const double *numbers, \
      int threads) {                                                                              \
    Step<T> p = step<T>(sources, target, depth, M, t, choice, sizes, numbers);                    \
    p.grad = grad;                                                                                \
    p.to_depth = to_depth;                                                                        \
    p.to_M = to_M;                                                                                \
    p.to_t = to_t;                                                                                \
    backward(p, threads);                                                                         \
    return 0;                                                                                     \
  }

MMSCD_KERNELS(float, float32)
MMSCD_KERNELS(double, float64)

// Batch normalization fused with what follows it in a residual network: y = relu(norm(x) + residual), for CPU tensors
// whose channels lie innermost (channels_last, or a matrix), float32 or bfloat16 with float32 statistics.
//
// Equals torch.nn.functional.batch_norm in training mode, then add, then relu. Left as three operations these re-read
// every activation six times a step; here the forward pass reads x twice and the backward pass reads each input twice.
// `groups` > 1 gives each slice of the batch its own statistics (MoCo's SplitBatchNorm, in the order of the batch).
//
// Where a process group is given (one group only), statistics are those of the batches of all its ranks, which are of one size, and the
// gradient is that of the sum of all ranks' losses (torch.nn.SyncBatchNorm).
//
// Sums are made over blocks of rows in float32 and merged in double (Chan et al.'s parallel variance), in an order set
// by the shape alone: results do not depend on the number of threads.
#include "collectives.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#define MOCHI_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MOCHI_CLONES
#endif
#define MOCHI_INLINE inline __attribute__((always_inline))

namespace {
using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// bfloat16 as its bits: conversions that the compiler can turn into vector shifts.
using bf16 = uint16_t;

MOCHI_INLINE float load(const float* p) { return *p; }
MOCHI_INLINE float load(const bf16* p) {
  uint32_t bits = uint32_t(*p) << 16;
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}
MOCHI_INLINE void store(float* p, float v) { *p = v; }
MOCHI_INLINE void store(bf16* p, float v) {
  uint32_t bits;
  std::memcpy(&bits, &v, 4);
  uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  *p = v != v ? bf16(0x7fc0) : bf16(rounded);
}

// Mean and sum of squared deviations of `rows` x C values, added to `mean`/`m2` (doubles) of `count` rows.
template <typename T>
MOCHI_INLINE void moments_block(const T* x, int64_t rows, int64_t C, double count, double* mean, double* m2, float* s, float* d) {
  for (int64_t c = 0; c < C; ++c) s[c] = 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < C; ++c) s[c] += load(x + r * C + c);
  const float inv = 1.0f / float(rows);
  for (int64_t c = 0; c < C; ++c) s[c] *= inv, d[c] = 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < C; ++c) {
      float e = load(x + r * C + c) - s[c];
      d[c] += e * e;
    }
  const double n = double(rows), share = n / (count + n), cross = count * share;
  for (int64_t c = 0; c < C; ++c) {
    double delta = double(s[c]) - mean[c];
    mean[c] += delta * share;
    m2[c] += double(d[c]) + delta * delta * cross;
  }
}

// The normalized value, written once so that forward and backward passes round alike.
MOCHI_INLINE float normed(float x, float scale, float shift) { return x * scale + shift; }

template <typename T, bool Add, bool Relu>
MOCHI_INLINE void apply_rows(const T* x, const T* residual, T* y, int64_t rows, int64_t C, const float* scale, const float* shift) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < C; ++c) {
      float v = normed(load(x + r * C + c), scale[c], shift[c]);
      if (Add) v += load(residual + r * C + c);
      if (Relu) v = v > 0 ? v : (v != v ? v : 0.0f);  // a NaN stays a NaN, as in torch
      store(y + r * C + c, v);
    }
}

// What tells where the ReLU let a gradient through.
enum class Gate { Open, Output, Recomputed };

// dy where y > 0: y as it was written, or, where nothing was added to it, computed again from x, which is read anyway.
template <typename T, Gate G>
MOCHI_INLINE float gated(float dy, float x, const T* y, int64_t i, float scale, float shift) {
  if (G == Gate::Output) return load(y + i) > 0 ? dy : 0.0f;
  if (G == Gate::Recomputed) return normed(x, scale, shift) > 0 ? dy : 0.0f;
  return dy;
}

// sum g and sum g * (x - mean) over a block, g the gated dy.
template <typename T, Gate G>
MOCHI_INLINE void sums_block(const T* dy, const T* y, const T* x, int64_t rows, int64_t C, const float* mean, const float* scale, const float* shift, double* sg, double* sgx, float* s, float* d) {
  for (int64_t c = 0; c < C; ++c) s[c] = 0, d[c] = 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < C; ++c) {
      const int64_t i = r * C + c;
      const float v = load(x + i), g = gated<T, G>(load(dy + i), v, y, i, scale[c], shift[c]);
      s[c] += g;
      d[c] += g * (v - mean[c]);
    }
  for (int64_t c = 0; c < C; ++c) sg[c] += s[c], sgx[c] += d[c];
}

// dx = k0 * g - k1 - k2 * (x - mean); the residual's gradient is g.
template <typename T, bool Add, Gate G>
MOCHI_INLINE void grad_rows(const T* dy, const T* y, const T* x, T* dx, T* dres, int64_t rows, int64_t C, const float* mean, const float* scale, const float* shift, const float* k0, const float* k1, const float* k2) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < C; ++c) {
      int64_t i = r * C + c;
      const float v = load(x + i), g = gated<T, G>(load(dy + i), v, y, i, scale[c], shift[c]);
      store(dx + i, k0[c] * g - k1[c] - k2[c] * (v - mean[c]));
      if (Add) store(dres + i, g);
    }
}

// One compiled copy per instruction set, chosen at load time; the templates above are inlined into each.
#define MOCHI_KERNELS(T, N)                                                                                              \
  MOCHI_CLONES void moments_##N(const T* x, int64_t r, int64_t C, double n, double* m, double* v, float* s, float* d) {    \
    moments_block<T>(x, r, C, n, m, v, s, d);                                                                             \
  }                                                                                                                      \
  MOCHI_CLONES void apply_##N(const T* x, const T* a, T* y, int64_t r, int64_t C, const float* k, const float* b, bool relu) { \
    if (a) {                                                                                                             \
      if (relu) apply_rows<T, true, true>(x, a, y, r, C, k, b); else apply_rows<T, true, false>(x, a, y, r, C, k, b);       \
    } else {                                                                                                             \
      if (relu) apply_rows<T, false, true>(x, a, y, r, C, k, b); else apply_rows<T, false, false>(x, a, y, r, C, k, b);     \
    }                                                                                                                    \
  }                                                                                                                      \
  MOCHI_CLONES void sums_##N(const T* dy, const T* y, const T* x, int64_t r, int64_t C, const float* m, const float* k, const float* h, double* a, double* b, float* s, float* d) { \
    if (y) sums_block<T, Gate::Output>(dy, y, x, r, C, m, k, h, a, b, s, d);                                              \
    else if (k) sums_block<T, Gate::Recomputed>(dy, y, x, r, C, m, k, h, a, b, s, d);                                     \
    else sums_block<T, Gate::Open>(dy, y, x, r, C, m, m, m, a, b, s, d);                                                  \
  }                                                                                                                      \
  MOCHI_CLONES void grad_##N(const T* dy, const T* y, const T* x, T* dx, T* dr, int64_t r, int64_t C, const float* m, const float* k, const float* h, const float* a, const float* b, const float* e) { \
    if (dr) {                                                                                                            \
      if (y) grad_rows<T, true, Gate::Output>(dy, y, x, dx, dr, r, C, m, k, h, a, b, e);                                  \
      else grad_rows<T, true, Gate::Open>(dy, y, x, dx, dr, r, C, m, m, m, a, b, e);                                      \
    } else if (k) {                                                                                                      \
      grad_rows<T, false, Gate::Recomputed>(dy, y, x, dx, dr, r, C, m, k, h, a, b, e);                                    \
    } else {                                                                                                             \
      grad_rows<T, false, Gate::Open>(dy, y, x, dx, dr, r, C, m, m, m, a, b, e);                                          \
    }                                                                                                                    \
  }                                                                                                                      \
  void moments(const T* x, int64_t r, int64_t C, double n, double* m, double* v, float* s, float* d) { moments_##N(x, r, C, n, m, v, s, d); } \
  void apply(const T* x, const T* a, T* y, int64_t r, int64_t C, const float* k, const float* b, bool relu) { apply_##N(x, a, y, r, C, k, b, relu); } \
  void sums(const T* dy, const T* y, const T* x, int64_t r, int64_t C, const float* m, const float* k, const float* h, double* a, double* b, float* s, float* d) { sums_##N(dy, y, x, r, C, m, k, h, a, b, s, d); } \
  void grad(const T* dy, const T* y, const T* x, T* dx, T* dr, int64_t r, int64_t C, const float* m, const float* k, const float* h, const float* a, const float* b, const float* e) { grad_##N(dy, y, x, dx, dr, r, C, m, k, h, a, b, e); }

MOCHI_KERNELS(float, float)
MOCHI_KERNELS(bf16, bf16)

// How the rows of one group are cut: `chunks` pieces set by the shape, each walked in blocks that stay in the cache.
struct Cut {
  int64_t rows, chunks, block;
  Cut(int64_t rows, int64_t C) : rows(rows) {
    block = std::max<int64_t>(8, std::min<int64_t>(256, 8192 / C));
    chunks = std::max<int64_t>(1, std::min<int64_t>(32, rows / block));
  }
  int64_t begin(int64_t chunk) const { return rows * chunk / chunks; }
};

struct Shape {
  int64_t C, groups, rows;  // rows of the whole tensor
  std::vector<int64_t> start;  // first row of each group, and the end
  Shape(const Tensor& x, int64_t groups) : C(x.size(1)), groups(groups) {
    const int64_t B = x.size(0), area = B && C ? x.numel() / (B * C) : 0;
    rows = B * area;
    for (int64_t g = 0; g <= groups; ++g) start.push_back(B * g / groups * area);
  }
};

template <typename T>
T* data(const Tensor& t) {
  return t.defined() ? static_cast<T*>(t.data_ptr()) : nullptr;
}

// The norm as one multiplication and one addition a value.
void affine(const float* w, const float* b, const float* mean, const float* invstd, int64_t C, std::vector<float>& scale, std::vector<float>& shift) {
  scale.resize(C);
  shift.resize(C);
  for (int64_t c = 0; c < C; ++c) {
    scale[c] = w[c] * invstd[c];
    shift[c] = b[c] - mean[c] * scale[c];
  }
}

// Sums over the ranks, as doubles.
void sum_over_ranks(const mochi::GroupPtr& group, std::vector<double>& values, const char* what) {
  const Tensor all = at::from_blob(values.data(), {int64_t(values.size())}, at::kDouble);
  mochi::finish(mochi::begin_all_reduce(group, all, 0, what));
}

// Mean and variance of a rank's batch become those of the batches of all ranks. In double the difference of squares is exact enough.
void combine(const mochi::GroupPtr& group, int64_t C, double* mean, double* var) {
  std::vector<double> sums(2 * C);
  for (int64_t c = 0; c < C; ++c) sums[c] = mean[c], sums[C + c] = var[c] + mean[c] * mean[c];
  sum_over_ranks(group, sums, "synchronizing batch statistics");
  for (int64_t c = 0; c < C; ++c) {
    mean[c] = sums[c] / group->size;
    var[c] = std::max(0.0, sums[C + c] / group->size - mean[c] * mean[c]);
  }
}

template <typename T>
void forward_kernel(const Tensor& x, const Tensor& residual, Tensor& y, const float* w, const float* b, float* mean, float* invstd, double* var_out, const Shape& sh, double eps, bool relu, const mochi::GroupPtr& group) {
  const int64_t C = sh.C;
  const T* px = data<T>(x);
  for (int64_t g = 0; g < sh.groups; ++g) {
    const Cut cut(sh.start[g + 1] - sh.start[g], C);
    const T* base = px + sh.start[g] * C;
    std::vector<double> means(cut.chunks * C, 0.0), m2s(cut.chunks * C, 0.0);
    at::parallel_for(0, cut.chunks, 1, [&](int64_t lo, int64_t hi) {
      std::vector<float> s(C), d(C);
      // Backwards: the end of x was written last and is still in the cache, and the pass after this one finds the beginning there.
      for (int64_t k = hi - 1; k >= lo; --k) {
        const int64_t first = cut.begin(k), last = cut.begin(k + 1);
        for (int64_t r = first; r < last; r += cut.block) {
          moments(base + r * C, std::min(cut.block, last - r), C, double(r - first), &means[k * C], &m2s[k * C], s.data(), d.data());
        }
      }
    });
    double count = double(cut.begin(1));
    for (int64_t k = 1; k < cut.chunks; ++k) {
      const double n = double(cut.begin(k + 1) - cut.begin(k)), share = n / (count + n), cross = count * share;
      for (int64_t c = 0; c < C; ++c) {
        const double delta = means[k * C + c] - means[c];
        means[c] += delta * share;
        m2s[c] += m2s[k * C + c] + delta * delta * cross;
      }
      count += n;
    }
    for (int64_t c = 0; c < C; ++c) m2s[c] /= double(cut.rows);
    if (group) combine(group, C, means.data(), m2s.data());
    for (int64_t c = 0; c < C; ++c) {
      const double var = m2s[c];
      mean[g * C + c] = float(means[c]);
      invstd[g * C + c] = float(1.0 / std::sqrt(var + eps));
      var_out[g * C + c] = var;
    }
    std::vector<float> scale, shift;
    affine(w, b, mean + g * C, invstd + g * C, C, scale, shift);
    const T* pr = residual.defined() ? data<T>(residual) + sh.start[g] * C : nullptr;
    T* py = data<T>(y) + sh.start[g] * C;
    at::parallel_for(0, cut.rows, std::max<int64_t>(1, 16384 / C), [&](int64_t lo, int64_t hi) {
      apply(base + lo * C, pr ? pr + lo * C : nullptr, py + lo * C, hi - lo, C, scale.data(), shift.data(), relu);
    });
  }
}

template <typename T>
void backward_kernel(const Tensor& dy, const Tensor& y, const Tensor& x, Tensor& dx, Tensor& dres, const float* w, const float* b, const float* mean, const float* invstd, float* dw, float* db, const Shape& sh, bool recompute, const mochi::GroupPtr& group) {
  const int64_t C = sh.C;
  std::vector<double> total_w(C, 0.0), total_b(C, 0.0);
  for (int64_t g = 0; g < sh.groups; ++g) {
    const Cut cut(sh.start[g + 1] - sh.start[g], C);
    const int64_t at0 = sh.start[g] * C;
    const T *pg = data<T>(dy) + at0, *px = data<T>(x) + at0, *py = y.defined() ? data<T>(y) + at0 : nullptr;
    const float *m = mean + g * C, *is = invstd + g * C;
    std::vector<float> scale, shift;
    if (recompute) affine(w, b, m, is, C, scale, shift);
    const float *ks = recompute ? scale.data() : nullptr, *kh = recompute ? shift.data() : nullptr;
    std::vector<double> sg(cut.chunks * C, 0.0), sgx(cut.chunks * C, 0.0);
    at::parallel_for(0, cut.chunks, 1, [&](int64_t lo, int64_t hi) {
      std::vector<float> s(C), d(C);
      // Few rows to a float sum: behind average pooling dy is the same at every pixel, and rounding then errs to one side.
      const int64_t step = std::min<int64_t>(cut.block, 16);
      for (int64_t k = hi - 1; k >= lo; --k) {
        const int64_t last = cut.begin(k + 1);
        for (int64_t r = cut.begin(k); r < last; r += step) {
          sums(pg + r * C, py ? py + r * C : nullptr, px + r * C, std::min(step, last - r), C, m, ks, kh, &sg[k * C], &sgx[k * C], s.data(), d.data());
        }
      }
    });
    for (int64_t k = 1; k < cut.chunks; ++k)
      for (int64_t c = 0; c < C; ++c) sg[c] += sg[k * C + c], sgx[c] += sgx[k * C + c];
    // Gradients of scale and shift are of this rank's batch, as those of every other parameter.
    for (int64_t c = 0; c < C; ++c) total_b[c] += sg[c], total_w[c] += sgx[c] * double(is[c]);
    double inv = 1.0 / double(cut.rows);
    if (group) {
      std::vector<double> both(sg.begin(), sg.begin() + C);
      both.insert(both.end(), sgx.begin(), sgx.begin() + C);
      sum_over_ranks(group, both, "synchronizing gradients of batch statistics");
      std::copy(both.begin(), both.begin() + C, sg.begin());
      std::copy(both.begin() + C, both.end(), sgx.begin());
      inv /= double(group->size);
    }
    std::vector<float> k0(C), k1(C), k2(C);
    for (int64_t c = 0; c < C; ++c) {
      const double istd = is[c], scaled = double(w[c]) * istd;
      k0[c] = float(scaled);
      k1[c] = float(scaled * sg[c] * inv);
      k2[c] = float(scaled * istd * istd * sgx[c] * inv);
    }
    T *pdx = data<T>(dx) + at0, *pdr = dres.defined() ? data<T>(dres) + at0 : nullptr;
    at::parallel_for(0, cut.rows, std::max<int64_t>(1, 16384 / C), [&](int64_t lo, int64_t hi) {
      const int64_t o = lo * C;
      grad(pg + o, py ? py + o : nullptr, px + o, pdx + o, pdr ? pdr + o : nullptr, hi - lo, C, m, ks, kh, k0.data(), k1.data(), k2.data());
    });
  }
  for (int64_t c = 0; c < C; ++c) dw[c] = float(total_w[c]), db[c] = float(total_b[c]);
}

// Channels innermost and dense, whatever the number of spatial dimensions.
Tensor innermost(const Tensor& t) {
  return t.dim() == 4 ? t.contiguous(at::MemoryFormat::ChannelsLast) : t.contiguous();
}

// The kernels read and write C floats of a layer's vectors without looking at their strides.
void check_vector(const Tensor& v, int64_t C, const char* name) {
  TORCH_CHECK(v.device().is_cpu() && v.scalar_type() == at::kFloat && v.is_contiguous() && v.numel() == C, "the norm's ", name, " must be ", C, " contiguous float32 values on the CPU, not ", v.numel(), " of ", v.scalar_type(), " on ", v.device());
}

// x (B, C, H, W) or (B, C) and what is added to it.
void check_input(const Tensor& x, const Tensor* residual) {
  TORCH_CHECK(x.device().is_cpu() && (x.dim() == 4 || x.dim() == 2), "the fused norm takes a CPU tensor of 2 or 4 dimensions");
  TORCH_CHECK(x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16, "the fused norm takes float32 or bfloat16, not ", x.scalar_type());
  TORCH_CHECK(x.size(1) > 0, "the fused norm takes at least one channel");
  TORCH_CHECK(!residual || (residual->device().is_cpu() && residual->sizes() == x.sizes() && residual->scalar_type() == x.scalar_type()), "the residual differs from the norm's input in device, shape or type");
}

struct NormAct : public torch::autograd::Function<NormAct> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x_in, const Tensor& weight, const Tensor& bias, const Tensor& running_mean, const Tensor& running_var, double momentum, double eps, int64_t groups, bool relu, const std::optional<Tensor>& residual_in, bool reuse, const mochi::GroupPtr& group) {
    const Tensor x = innermost(x_in);
    const Tensor residual = residual_in ? innermost(*residual_in) : Tensor();
    const Shape sh(x, groups);
    // Where nothing is recorded nobody reads x again, and the caller has given it away.
    Tensor y = reuse ? x : at::empty_like(x), stats = at::empty({2, groups, sh.C}, weight.options());
    std::vector<double> var(groups * sh.C);
    float *mean = stats.data_ptr<float>(), *invstd = mean + groups * sh.C;
    const float *w = weight.const_data_ptr<float>(), *b = bias.const_data_ptr<float>();
    if (x.scalar_type() == at::kBFloat16)
      forward_kernel<bf16>(x, residual, y, w, b, mean, invstd, var.data(), sh, eps, relu, group);
    else
      forward_kernel<float>(x, residual, y, w, b, mean, invstd, var.data(), sh, eps, relu, group);
    // Running statistics: the mean over groups of each group's own (unbiased variance), as SplitBatchNorm keeps them.
    float *rm = running_mean.data_ptr<float>(), *rv = running_var.data_ptr<float>();
    for (int64_t c = 0; c < sh.C; ++c) {
      double m = 0, v = 0;
      for (int64_t g = 0; g < groups; ++g) {
        const double n = double(sh.start[g + 1] - sh.start[g]) * (group ? group->size : 1);
        m += mean[g * sh.C + c];
        v += var[g * sh.C + c] * (n / (n - 1));
      }
      rm[c] = float((1 - momentum) * rm[c] + momentum * m / double(groups));
      rv[c] = float((1 - momentum) * rv[c] + momentum * v / double(groups));
    }
    ctx->save_for_backward({x, weight, bias, stats, relu && residual.defined() ? y : Tensor()});
    ctx->saved_data["groups"] = groups;
    ctx->saved_data["recompute"] = relu && !residual.defined();
    ctx->saved_data["add"] = residual.defined();
    if (group) ctx->saved_data["group"] = mochi::saved(group);
    return y;
  }

  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &bias = saved[2], &stats = saved[3], &y = saved[4];
    const int64_t groups = ctx->saved_data["groups"].toInt();
    const bool recompute = ctx->saved_data["recompute"].toBool();
    const auto kept = ctx->saved_data.find("group");
    const mochi::GroupPtr group = kept == ctx->saved_data.end() ? mochi::GroupPtr() : mochi::restored(kept->second);
    const Shape sh(x, groups);
    const Tensor dy = innermost(grads[0]);
    Tensor dx = at::empty_like(x), dres = ctx->saved_data["add"].toBool() ? at::empty_like(x) : Tensor();
    Tensor dw = at::empty_like(weight), db = at::empty_like(weight);
    const float *w = weight.const_data_ptr<float>(), *b = bias.const_data_ptr<float>();
    const float *mean = stats.const_data_ptr<float>(), *invstd = mean + groups * sh.C;
    if (x.scalar_type() == at::kBFloat16)
      backward_kernel<bf16>(dy, y, x, dx, dres, w, b, mean, invstd, dw.data_ptr<float>(), db.data_ptr<float>(), sh, recompute, group);
    else
      backward_kernel<float>(dy, y, x, dx, dres, w, b, mean, invstd, dw.data_ptr<float>(), db.data_ptr<float>(), sh, recompute, group);
    Tensor none;
    return {dx, dw, db, none, none, none, none, none, none, dres, none, none};
  }
};
}  // namespace

extern "C" {
int mochi_norm_act(Tensor* x, Tensor* weight, Tensor* bias, Tensor* running_mean, Tensor* running_var, double momentum, double eps, int64_t groups, int relu, Tensor* residual, mochi_group* group, Tensor** out) {
  return mochi::guarded([&] {
    check_input(*x, residual);
    const int64_t C = x->size(1);
    check_vector(*weight, C, "weight");
    check_vector(*bias, C, "bias");
    check_vector(*running_mean, C, "running mean");
    check_vector(*running_var, C, "running variance");
    TORCH_CHECK(groups >= 1 && groups <= x->size(0), "norm_act: ", groups, " groups of a batch of ", x->size(0));
    TORCH_CHECK(!group || groups == 1, "norm_act: statistics of several groups are not synchronized");
    const Shape sh(*x, groups);
    for (int64_t g = 0; g < groups; ++g)
      TORCH_CHECK(group || sh.start[g + 1] - sh.start[g] > 1, "norm_act: more than one value per channel and group is needed");
    const bool reuse = !at::GradMode::is_enabled() && !x->requires_grad();
    *out = new Tensor(NormAct::apply(*x, *weight, *bias, *running_mean, *running_var, momentum, eps, groups, relu != 0, residual ? std::optional<Tensor>(*residual) : std::nullopt, reuse, group ? mochi::shared(group) : mochi::GroupPtr()));
  });
}

// Running statistics, no gradient: y = relu(x * scale + shift + residual).
int mochi_scale_shift_act(Tensor* x_in, Tensor* scale, Tensor* shift, int relu, Tensor* residual_in, Tensor** out) {
  return mochi::guarded([&] {
    check_input(*x_in, residual_in);
    check_vector(*scale, x_in->size(1), "scale");
    check_vector(*shift, x_in->size(1), "shift");
    const Tensor x = innermost(*x_in), residual = residual_in ? innermost(*residual_in) : Tensor();
    const int64_t C = x.size(1), rows = x.numel() / C;
    Tensor y = at::empty_like(x);
    const float *k = scale->const_data_ptr<float>(), *b = shift->const_data_ptr<float>();
    auto run = [&](auto tag) {
      using T = decltype(tag);
      const T *px = data<T>(x), *pr = data<T>(residual);
      T* py = data<T>(y);
      at::parallel_for(0, rows, std::max<int64_t>(1, 16384 / C), [&](int64_t lo, int64_t hi) {
        apply(px + lo * C, pr ? pr + lo * C : nullptr, py + lo * C, hi - lo, C, k, b, relu != 0);
      });
    };
    if (x.scalar_type() == at::kBFloat16) run(bf16{}); else run(float{});
    *out = new Tensor(y);
  });
}
}

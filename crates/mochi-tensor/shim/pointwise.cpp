// 1x1 convolutions in bfloat16 with channels innermost: libtorch's own forward pass and input gradient, and a weight gradient of ours.
//
// dW[o, i] = sum over pixels p of g[p, o] x[p, i]: a matrix product whose long side is the sum. oneDNN's kernel for it runs at 60 % of
// an AVX512-BF16 core's peak; packing pairs of pixels for `vdpbf16ps` once and keeping 6 x 64 sums in registers runs nearer to it, and the
// sums stay float32 all the way to the float32 parameter, where torch's autocast rounds them to bfloat16 on the way.
//
// Pixels are cut into pieces set by the shape alone and the pieces' sums added in order: results do not depend on the number of threads.
// Machines with matrix units (AMX) keep oneDNN's kernel, which uses them; those without AVX512-BF16 do too.
#include "shim.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <memory>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#define MOCHI_BF16_KERNEL 1
#include <immintrin.h>
#endif

namespace {
using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;
using bf16 = uint16_t;

// Channels that are packed together: a block of pixels by so many of each side stays in the first-level cache.
constexpr int64_t GROUP = 64;

// Where pixel p of the output reads in x: strided convolutions skip rows and columns.
struct Rows {
  int64_t high, wide, in_high, in_wide, stride;
  int64_t at(int64_t p) const {
    if (stride == 1) return p;
    const int64_t w = p % wide, h = p / wide % high, b = p / (wide * high);
    return (b * in_high + h * stride) * in_wide + w * stride;
  }
};

#ifdef MOCHI_BF16_KERNEL
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512bf16")

// Two rows of channels (a multiple of GROUP) side by side, value i of both in one 32-bit word, a group at a time `step` words apart.
// `second` may be absent.
void pack_pair(const bf16* first, const bf16* second, uint32_t* to, int64_t channels, int64_t step) {
  alignas(64) static const uint16_t LOW[32] = {0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39, 8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
  const __m512i low = _mm512_load_si512(LOW), high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  for (int64_t c = 0; c < channels; c += GROUP, to += step)
    for (int64_t i = 0; i < GROUP; i += 32) {
      const __m512i a = _mm512_loadu_si512(first + c + i);
      const __m512i b = second ? _mm512_loadu_si512(second + c + i) : _mm512_setzero_si512();
      _mm512_storeu_si512(to + i, _mm512_permutex2var_epi16(a, low, b));
      _mm512_storeu_si512(to + i + 16, _mm512_permutex2var_epi16(a, high, b));
    }
}

// sums[R][GROUP] (+)= over pairs of pixels of packed groups.
template <int R>
inline __attribute__((always_inline)) void tile(const uint32_t* g, const uint32_t* x, int64_t pairs, float* sums, int64_t width, bool fresh) {
  __m512 s[R][4];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) s[r][v] = fresh ? _mm512_setzero_ps() : _mm512_loadu_ps(sums + r * width + v * 16);
  for (int64_t p = 0; p < pairs; ++p, g += GROUP, x += GROUP) {
    __m512bh xv[4];
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) xv[v] = (__m512bh)_mm512_loadu_si512(x + v * 16);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const __m512bh gv = (__m512bh)_mm512_set1_epi32(int(g[r]));
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) s[r][v] = _mm512_dpbf16_ps(s[r][v], gv, xv[v]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) _mm512_storeu_ps(sums + r * width + v * 16, s[r][v]);
}

// All tiles of one block of pixels: sums (outs, ins) = g' x, or += where they are not fresh.
void block(const uint32_t* g, int64_t outs, const uint32_t* x, int64_t ins, int64_t pairs, int64_t step, float* sums, bool fresh) {
  for (int64_t i = 0; i < ins; i += GROUP, x += step) {
    const uint32_t* group = g;
    for (int64_t o = 0; o < outs; o += GROUP, group += step) {
      float* to = sums + o * ins + i;
      for (int64_t r = 0; r < 60; r += 6) tile<6>(group + r, x, pairs, to + r * ins, ins, fresh);
      tile<4>(group + 60, x, pairs, to + 60 * ins, ins, fresh);
    }
  }
}
#pragma GCC pop_options

bool kernel_runs_here() {
  static const bool runs = __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") && !__builtin_cpu_supports("amx-bf16");
  return runs;
}
#else
void pack_pair(const bf16*, const bf16*, uint32_t*, int64_t, int64_t) {}
void block(const uint32_t*, int64_t, const uint32_t*, int64_t, int64_t, int64_t, float*, bool) {}
bool kernel_runs_here() { return false; }
#endif

// g (pixels, outs) and x (.., ins), bfloat16, to dw (outs, ins) in float32.
void weight_gradient(const bf16* g, const bf16* x, const Rows& rows, int64_t pixels, int64_t outs, int64_t ins, float* dw) {
  const int64_t range = std::min<int64_t>(outs, 256), ranges = (outs + range - 1) / range;
  // Pieces enough for sixteen threads, none below 256 pixels.
  const int64_t pieces = std::max<int64_t>(1, std::min<int64_t>((16 + ranges - 1) / ranges, pixels / 256));
  // Packed inputs of a block stay in the second-level cache.
  const int64_t depth = ins >= 1024 ? 64 : 128;
  const std::unique_ptr<float[]> sums(new float[size_t(pieces * outs * ins)]);
  at::parallel_for(0, pieces * ranges, 1, [&](int64_t lo, int64_t hi) {
    const int64_t step = depth / 2 * GROUP;
    const std::unique_ptr<uint32_t[]> xs(new uint32_t[size_t(depth / 2 * ins)]), gs(new uint32_t[size_t(depth / 2 * range)]);
    for (int64_t task = lo; task < hi; ++task) {
      const int64_t piece = task / ranges, first_out = task % ranges * range, count = std::min(range, outs - first_out);
      const int64_t begin = pixels * piece / pieces, end = pixels * (piece + 1) / pieces;
      for (int64_t p = begin; p < end; p += depth) {
        const int64_t last = std::min(p + depth, end), pairs = (last - p + 1) / 2;
        for (int64_t k = 0; k < pairs; ++k) {
          const int64_t a = p + 2 * k, b = a + 1;
          pack_pair(x + rows.at(a) * ins, b < last ? x + rows.at(b) * ins : nullptr, xs.get() + k * GROUP, ins, step);
          pack_pair(g + a * outs + first_out, b < last ? g + b * outs + first_out : nullptr, gs.get() + k * GROUP, count, step);
        }
        block(gs.get(), count, xs.get(), ins, pairs, step, sums.get() + (piece * outs + first_out) * ins, p == begin);
      }
    }
  });
  at::parallel_for(0, outs * ins, 1 << 14, [&](int64_t lo, int64_t hi) {
    std::copy(sums.get() + lo, sums.get() + hi, dw + lo);
    for (int64_t piece = 1; piece < pieces; ++piece) {
      const float* part = sums.get() + piece * outs * ins;
      for (int64_t i = lo; i < hi; ++i) dw[i] += part[i];
    }
  });
}

struct Pointwise : public torch::autograd::Function<Pointwise> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight, int64_t stride) {
    const Tensor narrow = weight.to(at::kBFloat16);
    ctx->save_for_backward({x, narrow});
    ctx->saved_data["stride"] = stride;
    return at::conv2d(x, narrow, {}, stride);
  }

  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1];
    const int64_t stride = ctx->saved_data["stride"].toInt();
    const Tensor g = grads[0].contiguous(at::MemoryFormat::ChannelsLast);
    Tensor dx, dw;
    if (ctx->needs_input_grad(0))
      dx = std::get<0>(at::convolution_backward(g, x, weight, std::nullopt, {stride, stride}, {0, 0}, {1, 1}, false, {0, 0}, 1, {true, false, false}));
    if (ctx->needs_input_grad(1)) {
      dw = at::empty(weight.sizes(), weight.options().dtype(at::kFloat));
      const Rows rows{g.size(2), g.size(3), x.size(2), x.size(3), stride};
      weight_gradient(static_cast<const bf16*>(g.const_data_ptr()), static_cast<const bf16*>(x.const_data_ptr()), rows, g.size(0) * g.size(2) * g.size(3), g.size(1), x.size(1), dw.data_ptr<float>());
    }
    return {dx, dw, Tensor()};
  }
};
}  // namespace

extern "C" {
// Whether `mochi_pointwise` takes a convolution of these counts of channels.
int mochi_pointwise_fits(int64_t outs, int64_t ins) { return kernel_runs_here() && outs % GROUP == 0 && ins % GROUP == 0 ? 1 : 0; }

// conv2d(x, weight.to(bfloat16)): x (B, in, H, W) bfloat16 with channels innermost, weight (out, in, 1, 1) float32.
int mochi_pointwise(Tensor* x, Tensor* weight, int64_t stride, Tensor** out) {
  return mochi::guarded([&] {
    TORCH_CHECK(x->device().is_cpu() && x->dim() == 4 && x->scalar_type() == at::kBFloat16 && x->is_contiguous(at::MemoryFormat::ChannelsLast), "pointwise takes a bfloat16 CPU tensor with channels innermost");
    TORCH_CHECK(weight->scalar_type() == at::kFloat && weight->dim() == 4 && weight->size(2) == 1 && weight->size(3) == 1 && weight->size(1) == x->size(1), "pointwise takes a float32 kernel of 1 x 1 that fits the input");
    TORCH_CHECK(mochi_pointwise_fits(weight->size(0), weight->size(1)), "pointwise does not take these counts of channels on this machine");
    *out = new Tensor(Pointwise::apply(*x, *weight, stride));
  });
}
}

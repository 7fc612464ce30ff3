// Convolutions in float32 with channels innermost whose maps are down to a few pixels: libtorch's own forward pass and input gradient, and a
// weight gradient of ours.
//
// dW[o, i, ky, kx] = sum over images and the pixels (y, x) for which (y s + ky - p, x s + kx - p) lies in the map of g[b, o, y, x] x[b, i, ..]:
// for each place of the kernel one matrix product, whose long side is all images at once. Without AVX-512, oneDNN has no kernel of its own for
// this layout and multiplies image by image, padding included: on a map of 1 x 1, where only the kernel's middle meets anything, nine products
// for one. `ONEDNN_VERBOSE=1 mochi bench step --arch resnet18 --size 28` named that two thirds of a step (Zen 3).
#include "shim.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace {
using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// Outputs of at most so many pixels: from 7 x 7 on, an image alone fills oneDNN's products.
constexpr int64_t PIXELS = 16;

// The outputs [begin, end) along one side that meet the map through the kernel's place `at`.
struct Span {
  int64_t begin, end, first;
  Span(int64_t at, int64_t outs, int64_t ins, int64_t stride, int64_t padding) {
    begin = std::max<int64_t>(0, (padding - at + stride - 1) / stride);
    const int64_t last = ins - 1 + padding - at;
    end = last < 0 ? begin : std::min(outs, last / stride + 1);
    first = begin * stride + at - padding;
  }
  bool empty() const { return end <= begin; }
};

// The rows (pixels, channels) of a map's rectangle.
Tensor rows(const Tensor& map, int64_t y, int64_t high, int64_t x, int64_t wide, int64_t step) {
  const auto cut = map.slice(2, y, y + (high - 1) * step + 1, step).slice(3, x, x + (wide - 1) * step + 1, step);
  return cut.permute({0, 2, 3, 1}).reshape({-1, map.size(1)});
}

Tensor weight_gradient(const Tensor& g, const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding) {
  const int64_t side = weight.size(2);
  auto all = at::zeros({side, side, weight.size(0), weight.size(1)}, weight.options());
  for (int64_t ky = 0; ky < side; ++ky) {
    const Span down(ky, g.size(2), x.size(2), stride, padding);
    for (int64_t kx = 0; kx < side; ++kx) {
      const Span across(kx, g.size(3), x.size(3), stride, padding);
      if (down.empty() || across.empty()) continue;
      const int64_t high = down.end - down.begin, wide = across.end - across.begin;
      auto place = all.select(0, ky).select(0, kx);
      at::mm_out(place, rows(g, down.begin, high, across.begin, wide, 1).t(), rows(x, down.first, high, across.first, wide, stride));
    }
  }
  return all.permute({2, 3, 0, 1}).contiguous(weight.suggest_memory_format());
}

struct SmallMap : public torch::autograd::Function<SmallMap> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding) {
    ctx->save_for_backward({x, weight});
    ctx->saved_data["stride"] = stride;
    ctx->saved_data["padding"] = padding;
    return at::conv2d(x, weight, {}, stride, padding);
  }

  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1];
    const int64_t stride = ctx->saved_data["stride"].toInt(), padding = ctx->saved_data["padding"].toInt();
    const Tensor g = grads[0].contiguous(at::MemoryFormat::ChannelsLast);
    Tensor dx, dw;
    if (ctx->needs_input_grad(0))
      dx = std::get<0>(at::convolution_backward(g, x, weight, std::nullopt, {stride, stride}, {padding, padding}, {1, 1}, false, {0, 0}, 1, {true, false, false}));
    if (ctx->needs_input_grad(1)) dw = weight_gradient(g, x, weight, stride, padding);
    return {dx, dw, Tensor(), Tensor()};
  }
};
}  // namespace

extern "C" {
// Whether `mochi_small_map` gains anything on this machine for outputs of so many pixels.
int mochi_small_map_fits(int64_t pixels) {
#if defined(__x86_64__)
  return pixels <= PIXELS && !__builtin_cpu_supports("avx512f") ? 1 : 0;
#else
  return 0;
#endif
}

// conv2d(x, weight): x (B, in, H, W) float32 with channels innermost, weight (out, in, k, k) float32.
int mochi_small_map(Tensor* x, Tensor* weight, int64_t stride, int64_t padding, Tensor** out) {
  return mochi::guarded([&] {
    TORCH_CHECK(x->device().is_cpu() && x->dim() == 4 && x->scalar_type() == at::kFloat && x->is_contiguous(at::MemoryFormat::ChannelsLast), "small_map takes a float32 CPU tensor with channels innermost");
    TORCH_CHECK(weight->scalar_type() == at::kFloat && weight->dim() == 4 && weight->size(2) == weight->size(3) && weight->size(1) == x->size(1) && stride > 0 && padding >= 0, "small_map takes a float32 square kernel that fits the input");
    *out = new Tensor(SmallMap::apply(*x, *weight, stride, padding));
  });
}
}

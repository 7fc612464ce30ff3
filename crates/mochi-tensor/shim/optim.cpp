// Optimizer steps over lists of tensors: in place, fused where libtorch has a fused kernel, and without a value read by the host, so that no
// step waits for a device.
#include "shim.h"

#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/full.h>
#include <c10/core/GradMode.h>

#include <vector>

using at::Tensor;
using mochi::guarded;

namespace {
std::vector<Tensor> list(Tensor** tensors, size_t n) {
  std::vector<Tensor> out;
  out.reserve(n);
  for (size_t i = 0; i < n; ++i) out.push_back(*tensors[i]);
  return out;
}

// Prepares lists for a fused kernel, which walks their memories in step, whatever their strides say: gradients in another order are copied, and
// state in another order is refused.
void align(const std::vector<Tensor>& p, std::vector<Tensor>& g, const std::vector<Tensor>& state) {
  for (size_t i = 0; i < p.size(); ++i) {
    TORCH_CHECK(p[i].is_non_overlapping_and_dense(), "a parameter's elements overlap or leave gaps in memory");
    if (g[i].strides() != p[i].strides()) g[i] = at::empty_like(p[i]).copy_(g[i]);
    TORCH_CHECK(state[i].sizes() == p[i].sizes() && state[i].strides() == p[i].strides(), "an optimizer's state is laid out unlike its parameter");
  }
}

// |x_i|, one entry a tensor.
Tensor norms(const std::vector<Tensor>& tensors) { return at::stack(at::_foreach_norm(tensors, 2)); }
}  // namespace

extern "C" {


// keys <- momentum * keys + (1 - momentum) * queries, as a lerp: one pass, no allocation.
int mochi_momentum_update(Tensor** keys, Tensor** queries, size_t n, double momentum) {
  return guarded([&] {
    c10::AutoGradMode off(false);
    auto k = list(keys, n), q = list(queries, n);
    if (n) at::_foreach_lerp_(k, q, 1.0 - momentum);
  });
}

// torch.optim.SGD(momentum, weight_decay) with dampening 0; buffers hold the momentum, zero at the start:
// m * 0 + g = g is what torch's first step does.
int mochi_fused_sgd(Tensor** params, Tensor** grads, Tensor** buffers, size_t n, double lr, double momentum,
                    double weight_decay) {
  return guarded([&] {
    c10::AutoGradMode off(false);
    auto p = list(params, n), g = list(grads, n), m = list(buffers, n);
    align(p, g, m);
    // Without momentum the kernel takes no buffers.
    if (momentum == 0.0) m.clear();
    if (n) at::_fused_sgd_(p, g, m, weight_decay, momentum, lr, 0.0, false, false, false);
  });
}

// torch.optim.AdamW: its `step`-th step (from 1) from gradients, first and second moments.
int mochi_fused_adamw(Tensor** params, Tensor** grads, Tensor** means, Tensor** squares, size_t n, int64_t step, double lr, double beta1,
                      double beta2, double eps, double weight_decay) {
  return guarded([&] {
    c10::AutoGradMode off(false);
    auto p = list(params, n), g = list(grads, n), m = list(means, n), v = list(squares, n);
    align(p, g, m);
    align(p, g, v);
    if (!n) return;
    const std::vector<Tensor> steps(n, at::full({}, static_cast<double>(step), p[0].options()));
    at::_fused_adamw_(p, g, m, v, {}, steps, lr, beta1, beta2, weight_decay, eps, false, false);
  });
}

// torch's zero_grad(set_to_none=True): the next backward pass hands its buffers over instead of adding into zeros.
int mochi_clear_gradients(Tensor** params, size_t n) {
  return guarded([&] {
    for (size_t i = 0; i < n; ++i) params[i]->mutable_grad().reset();
  });
}

// torch.nn.utils.clip_grad_norm_(max_norm, norm_type=2): scales all gradients by min(1, max_norm / (norm + 1e-6)); `out` is the norm before.
int mochi_clip_gradients(Tensor** grads, size_t n, double max_norm, Tensor** out) {
  return guarded([&] {
    c10::AutoGradMode off(false);
    TORCH_CHECK(n > 0, "there are no gradients to clip");
    auto g = list(grads, n);
    auto total = at::linalg_vector_norm(norms(g), 2);
    at::_foreach_mul_(g, (max_norm / (total + 1e-6)).clamp_max(1.0));
    *out = new Tensor(total);
  });
}

// LARS before the momentum: g <- (g + weight_decay p) * trust |p| / |g + weight_decay p|; the ratio is 1 where either norm is 0.
int mochi_lars_scale(Tensor** params, Tensor** grads, size_t n, double weight_decay, double trust) {
  return guarded([&] {
    c10::AutoGradMode off(false);
    if (!n) return;
    auto p = list(params, n), g = list(grads, n);
    at::_foreach_add_(g, p, weight_decay);
    const auto p_norm = norms(p), g_norm = norms(g);
    const auto usable = (p_norm > 0).logical_and(g_norm > 0);
    const auto ratio = at::where(usable, p_norm * trust / g_norm, at::ones_like(p_norm));
    const auto each = ratio.unbind();
    for (size_t i = 0; i < n; ++i) g[i].mul_(each[i]);
  });
}
}

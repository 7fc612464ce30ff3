// What libtorch has and tch 0.24 does not reach: memory formats, fused optimizer steps, the momentum update in place,
// generator state, loading the CUDA half at start.
#include "shim.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_sgd.h>
#include <c10/core/GradMode.h>

#include <cstring>
#include <dlfcn.h>
#include <memory>
#include <vector>

namespace mochi {
std::string& last_error() {
  thread_local std::string message;
  return message;
}

static std::vector<at::Tensor> list(at::Tensor** tensors, size_t n) {
  std::vector<at::Tensor> out;
  out.reserve(n);
  for (size_t i = 0; i < n; ++i) out.push_back(*tensors[i]);
  return out;
}
}  // namespace mochi

using at::Tensor;
using mochi::guarded;
using mochi::list;

extern "C" {

const char* mochi_last_error() { return mochi::last_error().c_str(); }

// Loads libtorch_cuda.so with global visibility, so that its registrations reach the dispatcher.
int mochi_load_library(const char* path) {
  return guarded([&] {
    if (!dlopen(path, RTLD_NOW | RTLD_GLOBAL)) {
      const char* why = dlerror();
      throw std::runtime_error(why ? why : "dlopen failed");
    }
  });
}

// The file that libtorch_cpu was loaded from: start-up checks the version that lies beside it.
const char* mochi_libtorch_path() {
  Dl_info info;
  return dladdr(reinterpret_cast<void*>(&at::globalContext), &info) && info.dli_fname ? info.dli_fname : "";
}

int mochi_to_channels_last(Tensor* x, Tensor** out) {
  return guarded([&] { *out = new Tensor(x->contiguous(at::MemoryFormat::ChannelsLast)); });
}

// By way of pinned memory, whose allocator keeps a block until the copy has been made: the host does not wait for the device.
int mochi_upload(Tensor* x, int index, Tensor** out) {
  return guarded([&] {
    const auto device = at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
    *out = new Tensor(x->pin_memory().to(device, /*non_blocking=*/true));
  });
}

namespace {
thread_local std::vector<std::string> watched;
thread_local uint64_t watched_calls = 0;
thread_local at::CallbackHandle watch = 0;
}  // namespace

// Counts this thread's calls of operations from here to mochi_calls_end.
int mochi_calls_begin(const char* const* names, size_t n) {
  return guarded([&] {
    watched.assign(names, names + n);
    watched_calls = 0;
    watch = at::addThreadLocalCallback(at::RecordFunctionCallback([](const at::RecordFunction& call) -> std::unique_ptr<at::ObserverContext> {
      for (const auto& name : watched) watched_calls += name == call.name();
      return nullptr;
    }).scopes({at::RecordScope::FUNCTION}));
  });
}

uint64_t mochi_calls_end() {
  at::removeCallback(watch);
  return watched_calls;
}

int mochi_is_channels_last(Tensor* x, int* out) {
  return guarded([&] { *out = x->is_contiguous(at::MemoryFormat::ChannelsLast) ? 1 : 0; });
}

// keys <- momentum * keys + (1 - momentum) * queries, as a lerp: one pass, no allocation.
int mochi_momentum_update(Tensor** keys, Tensor** queries, size_t n, double momentum) {
  return guarded([&] {
    c10::AutoGradMode off(false);
    auto k = list(keys, n), q = list(queries, n);
    at::_foreach_lerp_(k, q, 1.0 - momentum);
  });
}

// torch.optim.SGD(momentum, weight_decay) with dampening 0; buffers hold the momentum, zero at the start:
// m * 0 + g = g is what torch's first step does.
int mochi_fused_sgd(Tensor** params, Tensor** grads, Tensor** buffers, size_t n, double lr, double momentum,
                    double weight_decay) {
  return guarded([&] {
    c10::AutoGradMode off(false);
    auto p = list(params, n), g = list(grads, n), m = list(buffers, n);
    // The fused kernel walks the three memories side by side, whatever their strides say.
    for (size_t i = 0; i < n; ++i) {
      if (g[i].strides() != p[i].strides()) g[i] = at::empty_like(p[i]).copy_(g[i]);
      TORCH_CHECK(m[i].strides() == p[i].strides(), "a momentum buffer is laid out unlike its parameter");
    }
    at::_fused_sgd_(p, g, m, weight_decay, momentum, lr, 0.0, false, false, false);
  });
}

// torch's zero_grad(set_to_none=True): the next backward pass hands its buffers over instead of adding into zeros.
int mochi_clear_gradients(Tensor** params, size_t n) {
  return guarded([&] {
    for (size_t i = 0; i < n; ++i) params[i]->mutable_grad().reset();
  });
}

// Euclidean norms of a list of tensors into a host array: one pass a tensor, one copy at the end.
int mochi_foreach_norm(Tensor** tensors, size_t n, double* out) {
  return guarded([&] {
    c10::AutoGradMode off(false);
    auto norms = at::_foreach_norm(list(tensors, n), 2);
    auto stacked = at::stack(norms).to(at::kCPU, at::kDouble).contiguous();
    std::memcpy(out, stacked.data_ptr<double>(), n * sizeof(double));
  });
}

// x <- scale_i * x, one scale a tensor.
int mochi_foreach_scale(Tensor** tensors, const double* scales, size_t n) {
  return guarded([&] {
    c10::AutoGradMode off(false);
    std::vector<at::Scalar> s(scales, scales + n);
    auto t = list(tensors, n);
    at::_foreach_mul_(t, s);
  });
}

// x <- x + alpha * y
int mochi_foreach_add(Tensor** tensors, Tensor** others, size_t n, double alpha) {
  return guarded([&] {
    c10::AutoGradMode off(false);
    auto t = list(tensors, n), o = list(others, n);
    at::_foreach_add_(t, o, alpha);
  });
}

// at::parallel_for over [0, n) with a Rust closure behind `body`: our own kernels share libtorch's threads, because a second
// pool would run against the first one's spinning workers. `body` never unwinds (the Rust side catches).
int mochi_parallel_for(int64_t n, int64_t grain, void* context, void (*body)(void*, int64_t, int64_t)) {
  return guarded([&] { at::parallel_for(0, n, grain, [&](int64_t lo, int64_t hi) { body(context, lo, hi); }); });
}

// The default CPU generator's whole state as a byte tensor, and back.
int mochi_generator_state(Tensor** out) {
  return guarded([&] { *out = new Tensor(at::globalContext().defaultGenerator(at::kCPU).get_state()); });
}

int mochi_set_generator_state(Tensor* state) {
  return guarded([&] {
    auto generator = at::globalContext().defaultGenerator(at::kCPU);
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(*state);
  });
}

// 1 where oneDNN runs bf16 convolutions natively (avx512_core_bf16 or better): elsewhere bf16 is slower than float32.
int mochi_cpu_has_bf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") ? 1 : 0;
#else
  return 0;
#endif
}
}

// What libtorch has and tch 0.24 does not reach: memory formats, float32 precision on CUDA, facts of a device, generator state, loading
// the CUDA half at start.
#include "shim.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <c10/core/CachingDeviceAllocator.h>

#include <dlfcn.h>
#include <memory>
#include <vector>

namespace mochi {
std::string& last_error() {
  thread_local std::string message;
  return message;
}
}  // namespace mochi

using at::Tensor;
using mochi::guarded;

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

// The file that libtorch_cpu was loaded from: start-up checks the version that lies next to it.
const char* mochi_libtorch_path() {
  Dl_info info;
  return dladdr(reinterpret_cast<void*>(&at::globalContext), &info) && info.dli_fname ? info.dli_fname : "";
}

// float32 convolutions and matrix products on CUDA: IEEE float32, or TF32 (10 bits of mantissa). libtorch starts with TF32 convolutions.
int mochi_set_tf32(int on) {
  return guarded([&] {
    const auto precision = on ? at::Float32Precision::TF32 : at::Float32Precision::IEEE;
    for (auto op : {at::Float32Op::ALL, at::Float32Op::CONV, at::Float32Op::RNN, at::Float32Op::MATMUL})
      at::globalContext().setFloat32Precision(at::Float32Backend::CUDA, op, precision);
  });
}

// What a CUDA convolution (0) or matrix product (1) of float32 tensors computes in: 1 TF32, 0 IEEE float32.
int mochi_uses_tf32(int product, int* out) {
  return guarded([&] {
    const auto op = product ? at::Float32Op::MATMUL : at::Float32Op::CONV;
    *out = at::globalContext().float32Precision(at::Float32Backend::CUDA, op) == at::Float32Precision::TF32 ? 1 : 0;
  });
}

// Free and total bytes of a CUDA device (cudaMemGetInfo).
int mochi_cuda_memory(int index, uint64_t* free, uint64_t* total) {
  return guarded([&] {
    TORCH_CHECK(at::hasCUDA(), "CUDA is not loaded");
    at::globalContext().lazyInitDevice(at::kCUDA);
    const auto [f, t] = c10::getDeviceAllocator(at::kCUDA)->getMemoryInfo(static_cast<c10::DeviceIndex>(index));
    *free = f, *total = t;
  });
}

// Most bytes that tensors on a CUDA device have taken at one time (torch.cuda.max_memory_allocated).
int mochi_cuda_peak_memory(int index, uint64_t* peak) {
  return guarded([&] {
    TORCH_CHECK(at::hasCUDA(), "CUDA is not loaded");
    at::globalContext().lazyInitDevice(at::kCUDA);
    const auto stats = c10::getDeviceAllocator(at::kCUDA)->getDeviceStats(static_cast<c10::DeviceIndex>(index));
    const auto aggregate = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    *peak = static_cast<uint64_t>(stats.allocated_bytes[aggregate].peak);
  });
}

// Compute capability of a CUDA device. The CUDA runtime's headers are not needed to build; its C interface is stable, and libtorch_cuda has
// loaded the library. 75 and 76 are cudaDevAttrComputeCapabilityMajor and Minor.
int mochi_cuda_capability(int index, int* major, int* minor) {
  return guarded([&] {
    using Attribute = int (*)(int*, int, int);
    const auto attribute = reinterpret_cast<Attribute>(dlsym(RTLD_DEFAULT, "cudaDeviceGetAttribute"));
    TORCH_CHECK(attribute && at::hasCUDA(), "the CUDA runtime is not loaded");
    const int failed = attribute(major, 75, index) || attribute(minor, 76, index);
    TORCH_CHECK(!failed, "the CUDA runtime does not tell the compute capability of device ", index);
  });
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

// Whether no other tensor, view or autograd graph reaches the memory of this tensor.
int mochi_is_sole_owner(Tensor* x, int* out) {
  return guarded([&] {
    *out = x->defined() && x->use_count() == 1 && x->has_storage() && x->storage().use_count() == 1 && !x->requires_grad() ? 1 : 0;
  });
}

int mochi_is_channels_last(Tensor* x, int* out) {
  return guarded([&] { *out = x->is_contiguous(at::MemoryFormat::ChannelsLast) ? 1 : 0; });
}

namespace {
struct Watch {
  std::vector<std::string> names;
  uint64_t calls = 0;
  at::CallbackHandle handle = 0;
};
// Watches of this thread, innermost last: each counts for itself.
thread_local std::vector<std::unique_ptr<Watch>> watches;
}  // namespace

// Counts this thread's calls of operations from here to mochi_calls_end.
int mochi_calls_begin(const char* const* names, size_t n) {
  return guarded([&] {
    auto watch = std::make_unique<Watch>();
    watch->names.assign(names, names + n);
    watches.push_back(std::move(watch));
    // One callback a thread: it serves all watches.
    if (watches.size() > 1) return;
    watches[0]->handle = at::addThreadLocalCallback(at::RecordFunctionCallback([](const at::RecordFunction& call) -> std::unique_ptr<at::ObserverContext> {
      for (auto& watch : watches)
        for (const auto& name : watch->names) watch->calls += name == call.name();
      return nullptr;
    }).scopes({at::RecordScope::FUNCTION}));
  });
}

// Ends the watch that began last and gives its count.
int mochi_calls_end(uint64_t* out) {
  return guarded([&] {
    TORCH_CHECK(!watches.empty(), "no calls are being counted on this thread");
    *out = watches.back()->calls;
    if (watches.size() == 1) at::removeCallback(watches.back()->handle);
    watches.pop_back();
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

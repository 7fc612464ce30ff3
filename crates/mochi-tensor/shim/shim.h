// The C face of the shim. Every function returns 0, or 1 with the reason in mochi_last_error(): exceptions never cross
// into Rust. `Tensor*` is at::Tensor*, which is what tch's `C_tensor*` is.
#pragma once
#include <cstddef>
#include <cstdint>

#include <ATen/ATen.h>

#include <string>

namespace mochi {
// Kept per thread, as errno is.
std::string& last_error();

template <typename F>
int guarded(F&& body) noexcept {
  try {
    body();
    return 0;
  } catch (const c10::Error& e) {
    last_error() = e.what_without_backtrace();
  } catch (const std::exception& e) {
    last_error() = e.what();
  } catch (...) {
    last_error() = "an unknown C++ exception";
  }
  return 1;
}
}  // namespace mochi

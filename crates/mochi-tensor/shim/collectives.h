// A process group, a collective in progress, and what the rest of the shim needs of them.
#pragma once
#include "shim.h"

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <torch/csrc/distributed/c10d/Types.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>
#include <torch/custom_class.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace mochi {
using BackendPtr = c10::intrusive_ptr<c10d::Backend>;
using StorePtr = c10::intrusive_ptr<c10d::Store>;
}  // namespace mochi

struct mochi_store {
  mochi::StorePtr store;
};

// Counted: works, reducers and the graphs of synchronized norms keep their group.
struct mochi_group : torch::CustomClassHolder {
  mochi::BackendPtr host;    // gloo
  mochi::BackendPtr device;  // NCCL, where ranks compute on GPUs
  int size = 1;
  // Whether a collective failed: the group is of no use from then on.
  std::atomic<bool> failed{false};
  std::mutex lock;

  // What carries tensors of this device.
  mochi::BackendPtr live(at::Device where) {
    std::lock_guard<std::mutex> held(lock);
    if (!host) throw std::runtime_error("this rank has left the process group");
    if (where.is_cpu()) return host;
    if (!device) throw std::runtime_error("the process group was opened for CPUs only");
    return device;
  }
  void leave() {
    mochi::BackendPtr first, second;
    std::lock_guard<std::mutex> held(lock);
    first.swap(host);
    second.swap(device);
  }
};

struct mochi_work {
  c10::intrusive_ptr<c10d::Work> work;
  std::vector<at::Tensor> held;  // lives as long as the collective reads and writes it
  std::string what;              // for messages: what the collective is for
  c10::intrusive_ptr<mochi_group> group;
};

namespace mochi {
using GroupPtr = c10::intrusive_ptr<mochi_group>;
inline GroupPtr shared(mochi_group* group) { return GroupPtr::reclaim_copy(group); }
// A group as part of what an autograd function saves.
inline c10::IValue saved(const GroupPtr& group) { return c10::IValue::make_capsule(group); }
inline GroupPtr restored(const c10::IValue& value) { return c10::static_intrusive_pointer_cast<mochi_group>(value.toCapsule()); }

std::string reason(const std::exception& e);
// op: 0 sum, 1 maximum.
mochi_work* begin_all_reduce(const GroupPtr& group, const at::Tensor& tensor, int op, const char* what);
// Waits and frees.
void finish(mochi_work* work);
}  // namespace mochi

// Averages gradients over a process group in buckets. The all-reduce of a bucket starts inside the backward pass as soon as the last of its
// gradients is there, as in torch's DistributedDataParallel.
#include "collectives.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <utility>

using at::Tensor;
using mochi::guarded;

struct mochi_reducer {
  struct Slot {
    at::Tensor parameter;
    size_t bucket;
    int64_t offset;
    unsigned hook;
  };
  struct Bucket {
    at::Tensor flat;
    size_t members = 0, missing = 0;
    mochi_work* work = nullptr;
  };
  mochi::GroupPtr group;
  std::vector<Slot> slots;
  std::vector<Bucket> buckets;
  size_t begun = 0;

  // In the parameter's own memory order, so that an optimizer that walks both together is right for channels-last weights.
  at::Tensor view(const Slot& s) const {
    return at::as_strided(buckets[s.bucket].flat, s.parameter.sizes(), s.parameter.strides(), s.offset);
  }
  // Buckets start in their own order on every rank, whatever the order in which gradients arrive.
  void begin_full() {
    while (begun < buckets.size() && buckets[begun].missing == 0) {
      buckets[begun].work = mochi::begin_all_reduce(group, buckets[begun].flat, 0, "averaging gradients");
      ++begun;
    }
  }
  void take(size_t i, const at::Tensor& gradient) {
    at::NoGradGuard off;
    Bucket& bucket = buckets[slots[i].bucket];
    TORCH_CHECK(!slots[i].parameter.grad().defined() && bucket.missing > 0, "gradients were not cleared before the backward pass");
    // The division is made while copying, as in DistributedDataParallel: a pass over the memory less.
    at::Tensor place = view(slots[i]);
    at::mul_out(place, gradient, at::scalar_tensor(1.0 / group->size, place.options().device(at::kCPU)));
    --bucket.missing;
    begin_full();
  }
  ~mochi_reducer() {
    for (auto& s : slots) s.parameter.remove_hook(s.hook);
    for (auto& b : buckets)
      if (b.work) (void)mochi::guarded([&] { mochi::finish(std::exchange(b.work, nullptr)); });
  }
};

namespace {
// The first bucket is small, as torch's is, so that the first all-reduce starts early.
constexpr int64_t FIRST_BUCKET_BYTES = 1 << 20;
}  // namespace

extern "C" {
int mochi_reducer_new(mochi_group* group, Tensor* const* parameters, size_t n, int64_t bucket_bytes, mochi_reducer** out) {
  return guarded([&] {
    at::NoGradGuard off;
    auto r = std::make_unique<mochi_reducer>();
    r->group = mochi::shared(group);
    std::vector<int64_t> lengths;
    // Last parameter first: the backward pass reaches it first.
    for (size_t k = n; k-- > 0;) {
      const Tensor& p = *parameters[k];
      TORCH_CHECK(p.is_leaf() && p.requires_grad() && p.is_non_overlapping_and_dense(), "a parameter's gradient cannot be averaged in place");
      TORCH_CHECK(p.scalar_type() == parameters[0]->scalar_type() && p.device() == parameters[0]->device(), "parameters of several types or devices");
      const int64_t most = (lengths.size() <= 1 ? std::min(bucket_bytes, FIRST_BUCKET_BYTES) : bucket_bytes) / p.element_size();
      if (lengths.empty() || (lengths.back() > 0 && lengths.back() + p.numel() > most)) lengths.push_back(0);
      r->slots.push_back({p, lengths.size() - 1, lengths.back(), 0});
      lengths.back() += p.numel();
    }
    r->buckets.resize(lengths.size());
    for (size_t b = 0; b < lengths.size(); ++b) r->buckets[b].flat = at::zeros({lengths[b]}, r->slots[0].parameter.options());
    for (auto& s : r->slots) ++r->buckets[s.bucket].members;
    for (auto& b : r->buckets) b.missing = b.members;
    auto* self = r.get();
    for (size_t i = 0; i < r->slots.size(); ++i)
      r->slots[i].hook = r->slots[i].parameter.register_hook([self, i](const at::Tensor& gradient) { self->take(i, gradient); });
    *out = r.release();
  });
}

// After the backward pass: waits for every bucket and makes the averages the parameters' gradients (views of the buckets).
int mochi_reducer_finish(mochi_reducer* r) {
  return guarded([&] {
    at::NoGradGuard off;
    TORCH_CHECK(r->begun == r->buckets.size(), "the backward pass gave some parameters no gradient");
    std::string failed;
    for (auto& b : r->buckets) {
      try {
        mochi::finish(std::exchange(b.work, nullptr));
      } catch (const std::exception& e) {
        if (failed.empty()) failed = mochi::reason(e);
      }
      b.missing = b.members;
    }
    r->begun = 0;
    if (!failed.empty()) throw std::runtime_error(failed);
    for (auto& s : r->slots) s.parameter.mutable_grad() = r->view(s);
  });
}

size_t mochi_reducer_buckets(const mochi_reducer* r) { return r->buckets.size(); }

void mochi_reducer_free(mochi_reducer* r) {
  (void)guarded([&] { delete r; });
}
}

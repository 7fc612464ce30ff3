// Process groups on libtorch's own c10d: TCPStore for the rendezvous (HashStore between threads of one process), ProcessGroupGloo on CPUs,
// ProcessGroupNCCL on GPUs.
#include "collectives.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <c10/util/Logging.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <set>
#include <tuple>
#include <utility>

using at::Tensor;
using mochi::guarded;
using std::chrono::milliseconds;
using OptionsPtr = c10::intrusive_ptr<c10d::Backend::Options>;

// A partial declaration of a class that libtorch_cpu exports. Its own header cannot be included: it includes gloo's headers, which the wheel
// does not contain. Only names, parameters and constness matter to the linker. Nothing here is allocated or derived from, so no layout is
// assumed. `merge` is libtorch's factory; in the pinned version it reads its arguments and never `this`.
namespace c10d {
class ProcessGroupGloo {
 public:
  struct Options {
    static OptionsPtr create_default(milliseconds timeout);  // returns intrusive_ptr<Options>: one pointer to Options, whose first base this is
  };
  c10::intrusive_ptr<Backend> merge(const c10::intrusive_ptr<Store>& store, const OptionsPtr& options, const int& rank, const int& size);
};
}  // namespace c10d

namespace {
using mochi::BackendPtr;
using mochi::StorePtr;

// A file that this process has open. The number alone is no identity: another thread may have closed a file, whose number the next one gets.
struct OpenFile {
  int fd;
  dev_t device;
  ino_t inode;
  bool operator<(const OpenFile& other) const {
    return std::tie(fd, device, inode) < std::tie(other.fd, other.device, other.inode);
  }
};

std::set<OpenFile> open_files() {
  std::set<OpenFile> out;
  std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/fd"), closedir);
  if (!folder) return out;
  while (auto* entry = readdir(folder.get()))
    if (int fd = std::atoi(entry->d_name); fd > 2 && fd != dirfd(folder.get())) {
      struct stat file{};
      if (!fstat(fd, &file)) out.insert({fd, file.st_dev, file.st_ino});
    }
  return out;
}

bool same_address(const sockaddr* a, const sockaddr_storage& b) {
  if (!a || a->sa_family != b.ss_family) return false;
  if (b.ss_family == AF_INET)
    return reinterpret_cast<const sockaddr_in*>(a)->sin_addr.s_addr == reinterpret_cast<const sockaddr_in*>(&b)->sin_addr.s_addr;
  return !std::memcmp(&reinterpret_cast<const sockaddr_in6*>(a)->sin6_addr, &reinterpret_cast<const sockaddr_in6*>(&b)->sin6_addr, 16);
}

// The interface by which this machine reaches `host`. Gloo would choose what the machine's name resolves to, which is 127.0.1.1 on an
// unchanged Debian.
std::string interface_towards(const std::string& host, int port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found)) return "";
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, freeaddrinfo);
  for (; found; found = found->ai_next) {
    if (found->ai_family != AF_INET && found->ai_family != AF_INET6) continue;
    sockaddr_storage mine{};
    socklen_t length = sizeof mine;
    const int s = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    // Connecting a datagram socket sends nothing: the kernel only finds the route.
    const bool ok = s >= 0 && !connect(s, found->ai_addr, found->ai_addrlen) && !getsockname(s, reinterpret_cast<sockaddr*>(&mine), &length);
    if (s >= 0) close(s);
    if (!ok) continue;
    ifaddrs* all = nullptr;
    if (getifaddrs(&all)) return "";
    std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> addresses(all, freeifaddrs);
    for (auto* i = all; i; i = i->ifa_next)
      if (same_address(i->ifa_addr, mine)) return i->ifa_name;
  }
  return "";
}

BackendPtr gloo(const StorePtr& store, int rank, int size, milliseconds timeout) {
  alignas(64) static unsigned char unused[64] = {};
  auto options = c10d::ProcessGroupGloo::Options::create_default(timeout);
  return reinterpret_cast<c10d::ProcessGroupGloo*>(unused)->merge(store, options, rank, size);
}

void* cuda_symbol(const char* name) {
  void* found = dlsym(RTLD_DEFAULT, name);
  TORCH_CHECK(found, "libtorch_cuda.so is not loaded, or has no NCCL (", name, ")");
  return found;
}

// NCCL's options are made in raw memory of exactly this size: libtorch frees them with a sized delete. It is sizeof in libtorch 2.11.0: the
// deleting destructor there passes 248 to operator delete, and the constructor writes up to byte 244 (a test checks that it stays within).
constexpr size_t NCCL_OPTIONS_BYTES = 248;

using ConstructNcclOptions = void (*)(void*, bool);
ConstructNcclOptions nccl_options_constructor() {
  return reinterpret_cast<ConstructNcclOptions>(cuda_symbol("_ZN4c10d16ProcessGroupNCCL7OptionsC1Eb"));
}

// By name at run time: this program links to libtorch_cpu only, and libtorch_cuda is loaded at start where there is a GPU.
BackendPtr nccl(const StorePtr& store, int rank, int size, milliseconds timeout) {
  using Merge = BackendPtr (*)(void*, const StorePtr&, const OptionsPtr&, const int&, const int&);
  // Without it a dead rank is noticed in a watchdog thread, which takes the whole process down. Has no effect once set by the user.
  setenv("TORCH_NCCL_BLOCKING_WAIT", "1", 0);
  const auto construct = nccl_options_constructor();
  auto merge = reinterpret_cast<Merge>(cuda_symbol(
      "_ZN4c10d16ProcessGroupNCCL5mergeERKN3c1013intrusive_ptrINS_5StoreENS1_6detail34intrusive_target_default_null_typeIS3_EEEERKNS2_"
      "INS_7Backend7OptionsENS5_ISB_EEEERKiSH_"));
  void* memory = ::operator new(NCCL_OPTIONS_BYTES);
  std::memset(memory, 0, NCCL_OPTIONS_BYTES);
  construct(memory, false);
  auto options = OptionsPtr::unsafe_steal_from_new(static_cast<c10d::Backend::Options*>(memory));
  options->timeout = timeout;
  return merge(nullptr, store, options, rank, size);
}

void quiet() {
  // c10d writes each time-out to stderr, with C++ frames; its exceptions tell the same and reach the caller.
  static const bool once = [] {
    c10::initLogging();
    if (!std::getenv("TORCH_CPP_LOG_LEVEL")) FLAGS_caffe2_log_level = 3;
    return true;
  }();
  (void)once;
}

// Port of the other end of a socket; 0 where the file is none.
int peer_port(int fd) {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length)) return 0;
  if (peer.ss_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in*>(&peer)->sin_port);
  return peer.ss_family == AF_INET6 ? ntohs(reinterpret_cast<sockaddr_in6*>(&peer)->sin6_port) : 0;
}

// c10d waits for a store's answer without an end, so that a rank that keeps the store and is frozen would hold all others. With the limit a call throws
// "Socket Timeout"; the connection is of no use then, since the answer can still come.
void limit_answers(const std::set<OpenFile>& before, int port, milliseconds within) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(within);
  const timeval limit{seconds.count(), static_cast<suseconds_t>((within - seconds).count() * 1000)};
  for (const auto& file : open_files())
    if (!before.count(file) && peer_port(file.fd) == port) {
      setsockopt(file.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      setsockopt(file.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    }
}

StorePtr tcp_store(const char* host, int port, bool serve, int size, milliseconds within, milliseconds answer) {
  quiet();
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(port);
  options.isServer = serve;
  options.numWorkers = static_cast<std::size_t>(size);
  options.waitWorkers = false;
  options.timeout = within;
  options.multiTenant = serve;
  const auto before = open_files();
  auto store = c10::make_intrusive<c10d::TCPStore>(host, options);
  limit_answers(before, store->getPort(), answer);
  // Until then it is that of connecting, which is short where attempts are repeated.
  store->setTimeout(answer);
  return store;
}

// Held while a collective of gloo is begun. The process has one flight recorder, which in the pinned version looks a group up, and adds a new
// one, in a std::map before it takes its own lock (FlightRecorder::recordWithResetEnabled, all_pg_status_): groups of several threads would
// race. Beginning a collective only puts it into a queue, so nobody waits here for another rank.
std::mutex& beginning() {
  static std::mutex lock;
  return lock;
}

template <typename F>
void begin(const mochi::GroupPtr& group, std::vector<at::Tensor> held, const char* what, mochi_work** out, F&& start) {
  auto work = std::make_unique<mochi_work>();
  work->held = std::move(held);
  work->what = what;
  const auto device = work->held.at(0).device();
  const auto backend = group->live(device);
  try {
    // Not for NCCL, whose first collective waits for the other ranks.
    std::unique_lock<std::mutex> alone;
    if (device.is_cpu()) alone = std::unique_lock<std::mutex>(beginning());
    work->work = start(*backend, *work);
  } catch (const std::exception& e) {
    group->failed = true;
    throw std::runtime_error(work->what + ": " + mochi::reason(e));
  }
  work->group = group;
  *out = work.release();
}
}  // namespace

namespace mochi {
std::string reason(const std::exception& e) {
  const auto* torch = dynamic_cast<const c10::Error*>(&e);
  return torch ? torch->what_without_backtrace() : e.what();
}

void finish(mochi_work* raw) {
  std::unique_ptr<mochi_work> work(raw);
  try {
    work->work->wait();
  } catch (const std::exception& e) {
    work->group->failed = true;
    throw std::runtime_error(work->what + ": " + reason(e));
  }
}

mochi_work* begin_all_reduce(const GroupPtr& group, const at::Tensor& tensor, int op, const char* what) {
  mochi_work* work = nullptr;
  begin(group, {tensor}, what, &work, [&](c10d::Backend& backend, mochi_work& w) {
    c10d::AllreduceOptions options;
    options.reduceOp = op == 0 ? c10d::ReduceOp::SUM : c10d::ReduceOp::MAX;
    return backend.allreduce(w.held, options);
  });
  return work;
}
}  // namespace mochi

namespace {
// Sum over ranks, with the gradient: that of every rank's result reaches every rank's input.
struct AllReduceSum : public torch::autograd::Function<AllReduceSum> {
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x, const mochi::GroupPtr& group) {
    ctx->saved_data["group"] = mochi::saved(group);
    at::Tensor y = x.contiguous().clone();
    mochi::finish(mochi::begin_all_reduce(group, y, 0, "synchronizing batch statistics"));
    return y;
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* ctx, torch::autograd::tensor_list grads) {
    const auto group = mochi::restored(ctx->saved_data["group"]);
    at::Tensor g = grads[0].contiguous().clone();
    mochi::finish(mochi::begin_all_reduce(group, g, 0, "synchronizing gradients of batch statistics"));
    return {g, at::Tensor()};
  }
};
}  // namespace

extern "C" {
// A store that other processes reach at `port`, which receives the port that was taken if it is 0.
int mochi_store_serve(int* port, mochi_store** out) {
  return guarded([&] {
    auto store = tcp_store("0.0.0.0", *port, true, 1, milliseconds(10000), milliseconds(10000));
    *port = static_cast<c10d::TCPStore*>(store.get())->getPort();
    *out = new mochi_store{store};
  });
}

int mochi_store_connect(const char* host, int port, int serve, int size, const char* prefix, int64_t within_ms, int64_t answer_ms, mochi_store** out) {
  return guarded([&] {
    auto store = tcp_store(host, port, serve != 0, size, milliseconds(within_ms), milliseconds(answer_ms));
    *out = new mochi_store{c10::make_intrusive<c10d::PrefixStore>(prefix, store)};
  });
}

// A store of this process, for ranks that are threads.
int mochi_store_local(mochi_store** out) {
  return guarded([&] { *out = new mochi_store{c10::make_intrusive<c10d::HashStore>()}; });
}

// The same store, in which all keys begin with `prefix`.
int mochi_store_within(mochi_store* store, const char* prefix, mochi_store** out) {
  return guarded([&] { *out = new mochi_store{c10::make_intrusive<c10d::PrefixStore>(prefix, store->store)}; });
}

void mochi_store_close(mochi_store* store) {
  (void)guarded([&] { delete store; });
}

int mochi_store_set(mochi_store* store, const char* key, const uint8_t* value, size_t n) {
  return guarded([&] { store->store->set(key, std::vector<uint8_t>(value, value + n)); });
}

// 1 in `out` if the key is there.
int mochi_store_has(mochi_store* store, const char* key, int* out) {
  return guarded([&] { *out = store->store->check({key}) ? 1 : 0; });
}

// The value of a key that is there, handed to `take`.
int mochi_store_get(mochi_store* store, const char* key, void* context, void (*take)(void*, const uint8_t*, size_t)) {
  return guarded([&] {
    const auto value = store->store->get(key);
    take(context, value.data(), value.size());
  });
}

int mochi_group_open(mochi_store* store, int gpus, const char* host, int port, int rank, int size, int64_t timeout_ms, mochi_group** out) {
  return guarded([&] {
    quiet();
    TORCH_CHECK(size >= 1 && rank >= 0 && rank < size, "rank ", rank, " of ", size, " processes");
    auto group = c10::make_intrusive<mochi_group>();
    group->size = size;
    // Not for ranks that are threads, which have no host: other threads may read the environment while it is changed.
    if (*host && !std::getenv("GLOO_SOCKET_IFNAME")) {
      const auto name = interface_towards(host, port);
      if (!name.empty()) setenv("GLOO_SOCKET_IFNAME", name.c_str(), 0);
    }
    const auto before = open_files();
    const auto below = [&](const char* name) -> StorePtr { return c10::make_intrusive<c10d::PrefixStore>(name, store->store); };
    const milliseconds timeout(timeout_ms);
    // How long gloo waits for the addresses of the others.
    store->store->setTimeout(timeout);
    group->host = gloo(below("gloo"), rank, size, timeout);
    if (gpus) group->device = nccl(below("nccl"), rank, size, timeout);
    // Child processes would inherit gloo's sockets, and one that outlives this process would hide its death from the other ranks.
    for (const auto& file : open_files())
      if (!before.count(file)) fcntl(file.fd, F_SETFD, FD_CLOEXEC);
    *out = group.release();
  });
}

// Closes the connections to the other ranks, which notice at once. Later collectives fail.
void mochi_group_leave(mochi_group* group) {
  (void)guarded([&] { group->leave(); });
}

void mochi_group_close(mochi_group* group) {
  (void)guarded([&] { mochi::GroupPtr::reclaim(group); });
}

int mochi_group_failed(mochi_group* group) { return group->failed ? 1 : 0; }

// op: 0 sum, 1 maximum.
int mochi_all_reduce(mochi_group* group, Tensor* tensor, int op, const char* what) {
  return guarded([&] { mochi::finish(mochi::begin_all_reduce(mochi::shared(group), *tensor, op, what)); });
}

int mochi_broadcast(mochi_group* group, Tensor* tensor, int root, const char* what) {
  return guarded([&] {
    mochi_work* work = nullptr;
    begin(mochi::shared(group), {*tensor}, what, &work, [&](c10d::Backend& backend, mochi_work& w) {
      c10d::BroadcastOptions options;
      options.rootRank = root;
      return backend.broadcast(w.held, options);
    });
    mochi::finish(work);
  });
}

int mochi_all_gather(mochi_group* group, Tensor* output, Tensor* input, const char* what) {
  return guarded([&] {
    TORCH_CHECK(output->numel() == input->numel() * group->size && output->is_contiguous() && input->is_contiguous() && output->scalar_type() == input->scalar_type(), "all-gather: the output does not hold the input of every rank");
    mochi_work* work = nullptr;
    begin(mochi::shared(group), {*output, *input}, what, &work, [&](c10d::Backend& backend, mochi_work& w) { return backend._allgather_base(w.held[0], w.held[1]); });
    mochi::finish(work);
  });
}

// Rows of `input` to each rank, in turn, and those from each rank into `output`.
int mochi_all_to_all(mochi_group* group, Tensor* output, Tensor* input, const int64_t* received, const int64_t* sent, const char* what) {
  return guarded([&] {
    std::vector<int64_t> in(sent, sent + group->size), out(received, received + group->size);
    const auto sum = [](const std::vector<int64_t>& counts) {
      int64_t all = 0;
      for (int64_t n : counts) {
        TORCH_CHECK(n >= 0, "all-to-all: a negative number of rows");
        all += n;
      }
      return all;
    };
    TORCH_CHECK(sum(in) == input->size(0) && sum(out) == output->size(0), "all-to-all: the counts are not those of the rows");
    TORCH_CHECK(output->is_contiguous() && input->is_contiguous() && output->scalar_type() == input->scalar_type() && output->sizes().slice(1) == input->sizes().slice(1), "all-to-all: input and output have other rows");
    mochi_work* work = nullptr;
    begin(mochi::shared(group), {*output, *input}, what, &work, [&](c10d::Backend& backend, mochi_work& w) { return backend.alltoall_base(w.held[0], w.held[1], out, in, c10d::AllToAllOptions()); });
    mochi::finish(work);
  });
}

int mochi_all_reduce_sum(mochi_group* group, Tensor* x, Tensor** out) {
  return guarded([&] { *out = new Tensor(AllReduceSum::apply(*x, mochi::shared(group))); });
}

// For tests: how many bytes from their start the constructor of NCCL's options writes, and how many `nccl` reserves for them. Memory goes on
// behind the reserved bytes here, so nothing is damaged where it writes more. `construct` stands in for libtorch's if it is not null. What was
// constructed is dropped without its destructor: its texts are short and lie inside it.
int mochi_nccl_options_extent(void (*construct)(void*, bool), size_t* written, size_t* reserved) {
  return guarded([&] {
    if (!construct) construct = nccl_options_constructor();
    *written = 0;
    *reserved = NCCL_OPTIONS_BYTES;
    // Two fills: a byte that equals one of them differs from the other.
    for (const unsigned char fill : {0x00, 0xff}) {
      alignas(std::max_align_t) unsigned char memory[16 * NCCL_OPTIONS_BYTES];
      std::memset(memory, fill, sizeof memory);
      construct(memory, false);
      for (size_t i = *written; i < sizeof memory; i++)
        if (memory[i] != fill) *written = i + 1;
    }
  });
}
}

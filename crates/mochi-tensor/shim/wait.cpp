// How long OpenMP's threads spin while they wait for each other.
//
// libgomp spins 300,000 turns (3 to 9 ms) before a waiting thread sleeps. On idle cores that makes the thousands of short parallel regions of
// a step fast. Where another process needs the cores, a spinning thread keeps the core from the one it waits for, and a step becomes many
// times slower. libgomp spins 100 turns only while it manages more threads than there are processors (`gomp_managed_threads >
// gomp_available_cpus`, config/linux/wait.h). A team that is larger than the number of processors and sleeps therefore switches the spinning
// off for the whole process, and the end of the thread that owns it switches it on again.
#include <omp.h>

#include <atomic>

// Starts a sleeping team, which belongs to the calling thread and ends with it. Returns the number of its threads.
extern "C" int mochi_start_sleeping_team() {
  std::atomic<int> threads{0};
  // An empty region would be removed by the compiler.
#pragma omp parallel num_threads(omp_get_num_procs() + 1)
  threads.fetch_add(1);
  return threads.load();
}

// The OpenMP runtime is not linked: Python hands over the one that PyTorch has loaded, by its three entry points, so
// that a process never holds two pools of threads. GNU's, LLVM's and Intel's runtimes all have these.
#include "threads.h"

typedef void (*Parallel)(void (*region)(void*), void* data, unsigned threads, unsigned flags);
typedef int (*Number)();

namespace {

Parallel gomp_parallel = nullptr;
Number thread_number = nullptr;
Number thread_count = nullptr;

struct Team {
    int parts;
    lenrek_region region;
    void* data;
};

// Inside somebody else's parallel region a runtime may give fewer threads than asked for: each then takes several parts.
void take_parts(void* pointer) {
    const Team& team = *static_cast<const Team*>(pointer);
    for (int part = thread_number(); part < team.parts; part += thread_count()) team.region(team.data, part);
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) void lenrek_use_runtime(Parallel parallel, Number number, Number count) {
    gomp_parallel = parallel;
    thread_number = number;
    thread_count = count;
}

void lenrek_parallel(int parts, lenrek_region region, void* data) {
    if (parts > 1 && gomp_parallel) {
        Team team{parts, region, data};
        gomp_parallel(take_parts, &team, static_cast<unsigned>(parts), 0);
    } else {
        for (int part = 0; part < parts; ++part) region(data, part);
    }
}
}

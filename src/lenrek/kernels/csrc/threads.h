// Work in parts, on the threads that PyTorch already runs.
#pragma once

extern "C" {
// Defined in threads.cpp, compiled for every processor.
typedef void (*lenrek_region)(void* data, int part);
void lenrek_parallel(int parts, lenrek_region region, void* data);
}

namespace {

// Calls body(part) for every part, in any order and at once where there are threads. The parts alone decide what is
// computed, so that a result depends on their number and never on who took which.
template <class Body>
void parallel(int parts, const Body& body) {
    lenrek_parallel(
        parts, [](void* data, int part) { (*static_cast<const Body*>(data))(part); },
        const_cast<void*>(static_cast<const void*>(&body)));
}

// Threads worth waking: one for each 32 Ki numbers.
inline int parts_for(long long numbers, int threads) {
    const long long worth = 1 + numbers / 32768;
    return worth < threads ? static_cast<int>(worth) : threads;
}

// The numbers begin ≤ i < end.
struct Share {
    long long begin, end;
};

// The `part`-th of `parts` equal shares of [0, total).
inline Share share(long long total, int part, int parts) {
    return {total * part / parts, total * (part + 1) / parts};
}

}  // namespace

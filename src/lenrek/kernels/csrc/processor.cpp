// What this library is, and which of its instruction sets this processor (and its system) can run.

#define EXPORT extern "C" __attribute__((visibility("default")))

// Counted up, here and in library.py, whenever a kernel comes or its arguments change: a library built before
// that is refused.
EXPORT int lenrek_abi() { return 5; }

// From the slowest to the fastest, separated by spaces.
EXPORT const char* lenrek_isas() {
#if LENREK_X86
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return "portable";
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq"))
        return "portable avx2";
    if (!__builtin_cpu_supports("avx512bf16")) return "portable avx2 avx512";
    return "portable avx2 avx512 avx512_bf16";
#else
    return "portable";
#endif
}

// The file is compiled once per instruction set, with -DLENREK_ISA=<name>; this names what each copy exports.
//
// A copy must never run on a processor that lacks its instructions, and the linker keeps one copy of what several
// define. So everything in these files is either exported under a name of its own or in an anonymous namespace, and
// nothing comes from the C++ standard library.
#pragma once

#define LENREK_JOIN_(name, isa) name##_##isa
#define LENREK_JOIN(name, isa) LENREK_JOIN_(name, isa)

// `LENREK_KERNEL(int, my_kernel)(arguments) { … }` exports my_kernel_avx2, my_kernel_avx512, … with the C ABI.
#define LENREK_KERNEL(result, name) \
    extern "C" __attribute__((visibility("default"))) result LENREK_JOIN(name, LENREK_ISA)

// Vectors of floats as wide as the instruction set, written with the vector extensions of GCC and Clang: + − · < ?: work
// on them as on numbers. Memory holds float or bfloat16; arithmetic is in float.
#pragma once

#include <stdint.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Floats __attribute__((vector_size(4 * kLanes)));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes)));  // also the result of comparing Floats: −1 or 0
typedef uint32_t Words __attribute__((vector_size(4 * kLanes)));
typedef uint16_t Halves __attribute__((vector_size(2 * kLanes)));
typedef double Doubles __attribute__((vector_size(8 * kLanes)));
typedef uint8_t Bytes __attribute__((vector_size(kLanes)));

struct bf16 {
    uint16_t bits;
};

inline Floats all(float value) { return value - Floats{}; }
inline Ints all(int32_t value) { return value - Ints{}; }

// GCC 12 takes several instructions for these where one would do. NaN is neither less nor greater than a bound: it stays.
#if defined(__AVX512F__)
inline Words to_words(Halves h) { return reinterpret_cast<Words>(_mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(h))); }
inline Ints to_ints(Bytes b) { return reinterpret_cast<Ints>(_mm512_cvtepu8_epi32(reinterpret_cast<__m128i>(b))); }
inline bool any(Ints truth) { return _mm512_movepi32_mask(reinterpret_cast<__m512i>(truth)) != 0; }
inline Floats least(Floats bound, Floats v) { return _mm512_min_ps(bound, v); }
inline Floats greatest(Floats bound, Floats v) { return _mm512_max_ps(bound, v); }
#elif defined(__AVX2__)
inline Words to_words(Halves h) { return reinterpret_cast<Words>(_mm256_cvtepu16_epi32(reinterpret_cast<__m128i>(h))); }
inline Ints to_ints(Bytes b) {
    return reinterpret_cast<Ints>(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(reinterpret_cast<int64_t>(b))));
}
inline bool any(Ints truth) { return _mm256_movemask_ps(reinterpret_cast<__m256>(truth)) != 0; }
inline Floats least(Floats bound, Floats v) { return _mm256_min_ps(bound, v); }
inline Floats greatest(Floats bound, Floats v) { return _mm256_max_ps(bound, v); }
#else
inline Words to_words(Halves h) { return __builtin_convertvector(h, Words); }
inline Ints to_ints(Bytes b) { return __builtin_convertvector(b, Ints); }
inline bool any(Ints truth) {
    int32_t found = 0;
    for (int i = 0; i < kLanes; ++i) found |= truth[i];
    return found != 0;
}
inline Floats least(Floats bound, Floats v) { return v > bound ? bound : v; }
inline Floats greatest(Floats bound, Floats v) { return v < bound ? bound : v; }
#endif
inline Floats least(float bound, Floats v) { return least(all(bound), v); }
inline Floats greatest(float bound, Floats v) { return greatest(all(bound), v); }

// bfloat16 is the upper half of a float.
inline Floats widen(Halves h) { return reinterpret_cast<Floats>(to_words(h) << 16); }

// To the nearest, ties to even; NaN stays NaN.
inline Halves narrow(Floats v) {
#if defined(__AVX512BF16__)
    return reinterpret_cast<Halves>(_mm512_cvtneps_pbh(v));
#else
    const Words w = reinterpret_cast<Words>(v);
    const Words rounded = (w + 0x7fff + ((w >> 16) & 1)) >> 16;
    return __builtin_convertvector(v != v ? (w >> 16) | 0x40 : rounded, Halves);
#endif
}

// How many of a vector's lanes a loop may touch: all of them, or the few that are left at the end of the channels.
struct Whole {};
struct Part {
    int lanes;
};

template <class V, class T>
inline V load_lanes(const T* p, Whole) {
    V v;
    memcpy(&v, p, sizeof v);
    return v;
}
template <class V, class T>
inline V load_lanes(const T* p, Part part) {
    V v{};
    for (int i = 0; i < part.lanes; ++i) memcpy(reinterpret_cast<char*>(&v) + i * sizeof *p, p + i, sizeof *p);
    return v;
}
template <class V, class T>
inline void store_lanes(T* p, V v, Whole) {
    memcpy(p, &v, sizeof v);
}
template <class V, class T>
inline void store_lanes(T* p, V v, Part part) {
    for (int i = 0; i < part.lanes; ++i) memcpy(p + i, reinterpret_cast<const char*>(&v) + i * sizeof *p, sizeof *p);
}

#if defined(__AVX512F__)
inline uint16_t mask(Part part) { return static_cast<uint16_t>((1u << part.lanes) - 1); }
template <>
inline Floats load_lanes<Floats>(const float* p, Part part) {
    return _mm512_maskz_loadu_ps(mask(part), p);
}
template <>
inline Halves load_lanes<Halves>(const bf16* p, Part part) {
    return reinterpret_cast<Halves>(_mm256_maskz_loadu_epi16(mask(part), p));
}
template <>
inline Bytes load_lanes<Bytes>(const uint8_t* p, Part part) {
    return reinterpret_cast<Bytes>(_mm_maskz_loadu_epi8(mask(part), p));
}
template <>
inline void store_lanes(float* p, Floats v, Part part) {
    _mm512_mask_storeu_ps(p, mask(part), v);
}
template <>
inline void store_lanes(bf16* p, Halves v, Part part) {
    _mm256_mask_storeu_epi16(p, mask(part), reinterpret_cast<__m256i>(v));
}
template <>
inline void store_lanes(uint8_t* p, Bytes v, Part part) {
    _mm_mask_storeu_epi8(p, mask(part), reinterpret_cast<__m128i>(v));
}
#endif

// Lanes beyond a Part are loaded as 0 and never stored.
template <class W>
inline Floats load(const float* p, W width) {
    return load_lanes<Floats>(p, width);
}
template <class W>
inline Floats load(const bf16* p, W width) {
    return widen(load_lanes<Halves>(p, width));
}
template <class W>
inline Ints load(const uint8_t* p, W width) {
    return to_ints(load_lanes<Bytes>(p, width));
}
template <class W>
inline void store(float* p, Floats v, W width) {
    store_lanes(p, v, width);
}
template <class W>
inline void store(bf16* p, Floats v, W width) {
    store_lanes(p, narrow(v), width);
}
template <class W>
inline void store(uint8_t* p, Ints v, W width) {
    store_lanes(p, __builtin_convertvector(v, Bytes), width);
}

// Room for one number per channel in whole vectors, so that even the last ones are read and written at once.
inline int64_t padded(int64_t channels) { return (channels + kLanes - 1) / kLanes * kLanes; }

// body(c, width) for the channels c … c + width, a vector at a time.
template <class Body>
inline void each_vector(int64_t channels, const Body& body) {
    int64_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) body(c, Whole{});
    if (c < channels) body(c, Part{static_cast<int>(channels - c)});
}

// Calls body with a value of the type that memory holds: 0 float, 1 bfloat16.
template <class Body>
inline void with_type(int type, const Body& body) {
    if (type == 0)
        body(float{});
    else
        body(bf16{});
}

}  // namespace

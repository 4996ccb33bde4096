// Inner products of many stored vectors with some queries; memory holds float, half or int8, sums are in float.
#include "isa.h"
#include "simd.h"
#include "threads.h"

namespace {

constexpr int kRows = 4;          // taken together: each query's numbers are read once for all of them
constexpr int kQueries = 4;       // and each row's numbers are widened once for all of these
constexpr int64_t kGroup = 64;    // queries that stay in the cache while the rows pass by

struct half {
    uint16_t bits;
};

// Exact, subnormal numbers included; there is no infinity and no NaN among stored vectors.
inline Floats widen_half(Halves h) {
#if defined(__AVX512F__)
    return reinterpret_cast<Floats>(_mm512_cvtph_ps(reinterpret_cast<__m256i>(h)));
#else
    const Words w = to_words(h);
    const Floats size = reinterpret_cast<Floats>((w & 0x7fff) << 13) * 0x1p112f;
    return reinterpret_cast<Floats>(reinterpret_cast<Words>(size) | ((w & 0x8000) << 16));
#endif
}

template <class W>
inline Floats numbers(const float* p, W width) {
    return load(p, width);
}
template <class W>
inline Floats numbers(const half* p, W width) {
    return widen_half(load_lanes<Halves>(reinterpret_cast<const bf16*>(p), width));
}
template <class W>
inline Floats numbers(const int8_t* p, W width) {
    const Bytes b = load_lanes<Bytes>(reinterpret_cast<const uint8_t*>(p), width);
    return __builtin_convertvector(to_ints(b ^ 0x80) - 128, Floats);
}

inline float sum(Floats v) {
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps(reinterpret_cast<__m512>(v));
#elif defined(__AVX2__)
    const __m256 a = reinterpret_cast<__m256>(v);
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
#else
    return (v[0] + v[2]) + (v[1] + v[3]);
#endif
}

// R rows with Q queries; the sums of a row do not depend on what it is taken together with.
template <int R, int Q, class T>
inline void products(const T* rows, int64_t dims, const float* scales, const float* queries, float* out,
                     int64_t count) {
    Floats total[R][Q] = {};
    each_vector(dims, [&](int64_t d, auto width) {
        Floats row[R];
        for (int r = 0; r < R; ++r) row[r] = numbers(rows + r * dims + d, width);
        for (int q = 0; q < Q; ++q) {
            const Floats query = load(queries + q * dims + d, width);
            for (int r = 0; r < R; ++r) total[r][q] += row[r] * query;
        }
    });
    for (int q = 0; q < Q; ++q)
        for (int r = 0; r < R; ++r) out[q * count + r] = sum(total[r][q]) * scales[r];
}

template <int R, class T>
inline void with_queries(const T* rows, int64_t dims, const float* scales, const float* queries, int64_t asked,
                         float* out, int64_t count) {
    int64_t q = 0;
    for (; q + kQueries <= asked; q += kQueries)
        products<R, kQueries>(rows, dims, scales, queries + q * dims, out + q * count, count);
    for (; q < asked; ++q) products<R, 1>(rows, dims, scales, queries + q * dims, out + q * count, count);
}

template <class T>
void similarities(const T* rows, int64_t count, int64_t dims, const float* scales, const float* queries,
                  int64_t asked, float* out, int threads) {
    const int parts = parts_for(count * dims, threads);
    parallel(parts, [&](int part) {
        const Share share_ = share(count, part, parts);
        for (int64_t first = 0; first < asked; first += kGroup) {
            const int64_t group = first + kGroup < asked ? kGroup : asked - first;
            const float* some = queries + first * dims;
            float* to = out + first * count;
            int64_t r = share_.begin;
            for (; r + kRows <= share_.end; r += kRows)
                with_queries<kRows>(rows + r * dims, dims, scales + r, some, group, to + r, count);
            for (; r < share_.end; ++r)
                with_queries<1>(rows + r * dims, dims, scales + r, some, group, to + r, count);
        }
    });
}

}  // namespace

// out (asked, count) = scales (count,) · rows (count, dims) · queries (asked, dims). type: 0 float, 1 half, 2 int8.
LENREK_KERNEL(void, similarities)(int type, const void* rows, int64_t count, int64_t dims, const float* scales,
                                  const float* queries, int64_t asked, float* out, int threads) {
    if (type == 0)
        similarities(static_cast<const float*>(rows), count, dims, scales, queries, asked, out, threads);
    else if (type == 1)
        similarities(static_cast<const half*>(rows), count, dims, scales, queries, asked, out, threads);
    else
        similarities(static_cast<const int8_t*>(rows), count, dims, scales, queries, asked, out, threads);
}

// Every output sample is read where a map of its own says: at matrix · p, plus a displacement where there is one, between
// the samples interpolated and outside them by the boundary. One to three axes, bytes or floats, channels one by one.
//
// A vector holds neighbouring outputs of a row. Most of their sources lie inside: there two gathers per channel fetch
// all that linear interpolation of bytes needs, because a gather of four bytes brings the neighbour along. Images of
// three channels are first laid out as pixels of four bytes: then two loads bring all that an output needs.
#include "isa.h"
#include "scratch.h"
#include "simd.h"
#include "threads.h"

namespace {

// Of resample.py.
struct Plan {
    int64_t batch, channels;
    int64_t in[3], out[3];  // leading axes of fewer than three are 1
    int64_t boundary;       // as below
    int64_t projective;     // whether the last row of a matrix is other than 0 … 0 1
};
enum { kConstant, kReflect, kSymmetric, kReplicate, kCircular };

constexpr float kFar = 1e6f;  // no position is farther out, so that every one is a number that an integer can hold

inline Floats to_floats(Ints v) { return __builtin_convertvector(v, Floats); }
inline Ints truncated(Floats v) { return __builtin_convertvector(v, Ints); }
inline Ints floored(Floats v) {
    const Ints i = truncated(v);
    return i + (v < to_floats(i));  // a comparison is −1 where it holds
}
inline Floats lanes() {
    Floats v;
    for (int i = 0; i < kLanes; ++i) v[i] = static_cast<float>(i);
    return v;
}

// The floats or bytes at `offset`, all of them in the `size` samples from p.
inline Floats gather(const float* p, Ints offset, int64_t) {
#if defined(__AVX512F__)
    return _mm512_i32gather_ps(reinterpret_cast<__m512i>(offset), p, 4);
#elif defined(__AVX2__)
    return _mm256_i32gather_ps(p, reinterpret_cast<__m256i>(offset), 4);
#else
    Floats v;
    for (int i = 0; i < kLanes; ++i) v[i] = p[offset[i]];
    return v;
#endif
}
// Four bytes each, the first at `offset`; those beyond the end are 0.
inline Ints gather_four(const uint8_t* p, Ints offset, int64_t size) {
#if defined(__AVX2__)
    if (size >= 4) {
        const Ints last = all(static_cast<int32_t>(size - 4));
        const Ints start = offset < last ? offset : last;
        const Words shift = reinterpret_cast<Words>((offset - start) * 8);
#if defined(__AVX512F__)
        const Words four = reinterpret_cast<Words>(_mm512_i32gather_epi32(reinterpret_cast<__m512i>(start), p, 1));
#else
        const Words four = reinterpret_cast<Words>(
            _mm256_i32gather_epi32(reinterpret_cast<const int*>(p), reinterpret_cast<__m256i>(start), 1));
#endif
        return reinterpret_cast<Ints>(four >> shift);
    }
#endif
    Ints v{};
    for (int i = 0; i < kLanes; ++i) {
        v[i] = p[offset[i]];
        if (offset[i] + 1 < size) v[i] |= p[offset[i] + 1] << 8;
    }
    return v;
}
inline Floats gather(const uint8_t* p, Ints offset, int64_t size) {
    return to_floats(gather_four(p, offset, size) & 255);
}
// The two neighbours at `offset` and behind it, the second `part` of the way.
inline Floats between(const float* p, Ints offset, int64_t size, Floats part) {
    return (1.0f - part) * gather(p, offset, size) + part * gather(p, offset + 1, size);  // exact at both ends
}
inline Floats between(const uint8_t* p, Ints offset, int64_t size, Floats part) {
    const Ints four = gather_four(p, offset, size);
    return (1.0f - part) * to_floats(four & 255) + part * to_floats(four >> 8 & 255);
}

template <class W>
inline void put(float* p, Floats v, W width) {
    store(p, v, width);
}
template <class W>
inline void put(uint8_t* p, Floats v, W width) {
    store(p, truncated(least(255.0f, greatest(0.0f, v)) + 0.5f), width);
}

// The sample that position i of an axis repeats; outside a constant boundary some sample, whose weight is then 0.
inline Ints inside(Ints i, int32_t size, int64_t boundary) {
    const Ints zero{}, last = all(size - 1);
    if (boundary == kReflect || boundary == kSymmetric) {
        const int32_t extra = boundary == kSymmetric;  // whether the end is repeated
        const int32_t period = 2 * (size - 1 + extra);
        if (period == 0) return zero;
        if (any((i < -period) | (i >= period))) i = i % period;
        i = i < 0 ? -extra - i : i;
        return i > last ? period - extra - i : i;
    }
    if (boundary == kCircular) {
        if (any((i < -size) | (i >= 2 * size))) i = i % size;
        i = i < 0 ? i + size : i;
        return i > last ? i - size : i;
    }
    i = i < 0 ? zero : i;
    return i > last ? last : i;
}

// Where the taps of one axis lie and what they count, for positions `at`.
template <int Taps>
struct Axis {
    Ints offset[Taps];
    Floats weight[Taps];
    Floats sum;  // of the weights: less than 1 where a constant boundary is outside

    Axis(Floats at, int32_t size, int32_t stride, int64_t boundary) {
        const Ints first = floored(Taps == 1 ? at + 0.5f : at) - (Taps - 1) / 2;
        const Floats f = at - to_floats(first + (Taps - 1) / 2);
        if constexpr (Taps == 1) {
            weight[0] = all(1.0f);
        } else if constexpr (Taps == 2) {
            weight[0] = 1.0f - f;
            weight[1] = f;
        } else {  // Keys 1981 with a = −1/2, doi:10.1109/TASSP.1981.1163711
            weight[0] = f * (-0.5f + f * (1.0f - 0.5f * f));
            weight[1] = 1.0f + f * f * (-2.5f + 1.5f * f);
            weight[2] = f * (0.5f + f * (2.0f - 1.5f * f));
            weight[3] = f * f * (-0.5f + 0.5f * f);
        }
        const bool whole = !any((first < 0) | (first > size - Taps));
        sum = all(1.0f);
        if (!whole && boundary == kConstant) sum = Floats{};
        for (int t = 0; t < Taps; ++t) {
            Ints i = first + t;
            if (!whole) {
                if (boundary == kConstant) {
                    weight[t] = ((i < 0) | (i >= size)) ? Floats{} : weight[t];
                    sum += weight[t];
                }
                i = inside(i, size, boundary);
            }
            offset[t] = i * stride;
        }
    }
};

template <class T>
struct Job {
    const Plan& plan;
    const T* x;
    T* y;
    const double* matrices;      // (batch, 4, 4), acting on (axis 0, axis 1, axis 2, 1)
    const float* displacements;  // (batch, axes, *out), in samples, or null
    float outside;
};

inline Floats lanes(Whole) { return lanes(); }
inline Floats lanes(Part part) { return least(static_cast<float>(part.lanes - 1), lanes()); }  // nothing beyond the row

// The sources of the outputs w, w + 1, … of row (d, h).
template <class T, int Axes, class W>
inline void positions(const Job<T>& job, int64_t sample, int64_t d, int64_t h, int64_t w, W width, Floats at[3]) {
    const Plan& plan = job.plan;
    const double* m = job.matrices + 16 * sample;
    const Floats along = lanes(width);
    Floats divisor = all(1.0f);
    if (plan.projective)
        divisor = all(static_cast<float>(m[12] * d + m[13] * h + m[14] * w + m[15])) +
                  static_cast<float>(m[14]) * along;
    for (int k = 3 - Axes; k < 3; ++k) {
        const double* row = m + 4 * k;
        at[k] = all(static_cast<float>(row[0] * d + row[1] * h + row[2] * w + row[3])) +
                static_cast<float>(row[2]) * along;
        if (plan.projective) at[k] = at[k] / divisor;
        if (job.displacements) {
            const int64_t count = plan.out[0] * plan.out[1] * plan.out[2];
            const float* p = job.displacements + (sample * Axes + k - (3 - Axes)) * count +
                             (d * plan.out[1] + h) * plan.out[2] + w;
            at[k] += load(p, width);
        }
        at[k] = at[k] > -kFar ? at[k] : all(-kFar);  // NaN, too
        at[k] = at[k] < kFar ? at[k] : all(kFar);
    }
}

// Three channels as pixels of four bytes, the last of them 0.
void interleave(const uint8_t* x, int64_t size, uint32_t* pixels) {
    int64_t i = 0;
    for (; i + kLanes <= size; i += kLanes) {
        const Ints four = load(x + i, Whole{}) | load(x + size + i, Whole{}) << 8 | load(x + 2 * size + i, Whole{}) << 16;
        memcpy(pixels + i, &four, sizeof four);
    }
    for (; i < size; ++i) pixels[i] = x[i] | x[size + i] << 8 | static_cast<uint32_t>(x[2 * size + i]) << 16;
}

typedef uint8_t EightBytes __attribute__((vector_size(8)));
typedef float EightFloats __attribute__((vector_size(32)));
typedef float FourFloats __attribute__((vector_size(16)));
typedef int32_t FourInts __attribute__((vector_size(16)));
typedef uint8_t FourBytes __attribute__((vector_size(4)));

// Two pixels beside each other, as floats.
inline EightFloats two_pixels(const uint32_t* p) {
#if defined(__AVX2__)
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
#else
    EightBytes bytes;
    memcpy(&bytes, p, sizeof bytes);
    return __builtin_convertvector(bytes, EightFloats);
#endif
}
// Four floats within 0 … 255 to the nearest bytes.
inline uint32_t four_bytes(FourFloats v) {
#if defined(__AVX2__)
    const __m128i ints = _mm_cvttps_epi32(v + 0.5f);
    return static_cast<uint32_t>(_mm_cvtsi128_si32(_mm_packus_epi16(_mm_packus_epi32(ints, ints), ints)));
#else
    const FourBytes bytes = __builtin_convertvector(__builtin_convertvector(v + 0.5f, FourInts), FourBytes);
    uint32_t whole;
    memcpy(&whole, &bytes, sizeof whole);
    return whole;
#endif
}

// The outputs of three channels whose sources lie inside, `size` apart.
template <class W>
inline void read_pixels(const uint32_t* pixels, int32_t wide, Ints offset, Floats down, Floats right, uint8_t* y,
                        int64_t size, W width) {
    uint32_t mixed[kLanes];
    int32_t start[kLanes];
    float downs[kLanes], rights[kLanes];
    memcpy(start, &offset, sizeof start);
    memcpy(downs, &down, sizeof downs);
    memcpy(rights, &right, sizeof rights);
    for (int i = 0; i < kLanes; ++i) {
        const uint32_t* p = pixels + start[i];
        const float f = downs[i], r = rights[i], l = 1.0f - r;
        const EightFloats both = (1.0f - f) * two_pixels(p) + f * two_pixels(p + wide);
        const EightFloats weighed = both * EightFloats{l, l, l, l, r, r, r, r};
        FourFloats left, other;
        memcpy(&left, &weighed, sizeof left);
        memcpy(&other, reinterpret_cast<const char*>(&weighed) + sizeof left, sizeof other);
        mixed[i] = four_bytes(left + other);
    }
    Words all_three;
    memcpy(&all_three, mixed, sizeof all_three);
    for (int c = 0; c < 3; ++c) store(y + c * size, reinterpret_cast<Ints>(all_three >> (8 * c) & 255), width);
}

template <class T, int Taps, int Axes, class W>
inline void read(const Job<T>& job, const uint32_t* pixels, int64_t sample, int64_t d, int64_t h, int64_t w, W width) {
    constexpr int A = Axes > 2 ? Taps : 1, B = Axes > 1 ? Taps : 1;
    const Plan& plan = job.plan;
    const int32_t high = static_cast<int32_t>(plan.in[1]), wide = static_cast<int32_t>(plan.in[2]);
    const int64_t size = plan.in[0] * plan.in[1] * plan.in[2], count = plan.out[0] * plan.out[1] * plan.out[2];
    Floats at[3] = {Floats{}, Floats{}, Floats{}};
    positions<T, Axes>(job, sample, d, h, w, width, at);
    const T* x = job.x + sample * plan.channels * size;
    T* y = job.y + sample * plan.channels * count + (d * plan.out[1] + h) * plan.out[2] + w;
    if constexpr (Taps == 2 && Axes == 2) {
        if (plan.boundary == kReplicate && high > 1 && wide > 1) {  // what repeats the edge is the edge
            at[1] = least(static_cast<float>(high - 1), greatest(0.0f, at[1]));
            at[2] = least(static_cast<float>(wide - 1), greatest(0.0f, at[2]));
        }
        Ints i = floored(at[1]), j = floored(at[2]);
        i += (i == high - 1) & (at[1] == to_floats(i));  // the last sample is the second of the two before the end
        j += (j == wide - 1) & (at[2] == to_floats(j));
        if (!any((i < 0) | (i > high - 2) | (j < 0) | (j > wide - 2))) {
            const Floats down = at[1] - to_floats(i), right = at[2] - to_floats(j);
            const Ints offset = i * wide + j;
            if constexpr (sizeof(T) == 1)
                if (pixels) {
                    read_pixels(pixels, wide, offset, down, right, y, count, width);
                    return;
                }
            for (int64_t c = 0; c < plan.channels; ++c, x += size, y += count) {
                put(y, (1.0f - down) * between(x, offset, size, right) + down * between(x, offset + wide, size, right),
                    width);
            }
            return;
        }
    }
    const Axis<A> first(at[0], static_cast<int32_t>(plan.in[0]), high * wide, plan.boundary);
    const Axis<B> second(at[1], high, wide, plan.boundary);
    const Axis<Taps> third(at[2], wide, 1, plan.boundary);
    const Floats rest = job.outside * (1.0f - first.sum * second.sum * third.sum);
    for (int64_t c = 0; c < plan.channels; ++c, x += size, y += count) {
        Floats total = rest;
        for (int a = 0; a < A; ++a)
            for (int b = 0; b < B; ++b)
                for (int t = 0; t < Taps; ++t)
                    total += first.weight[a] * second.weight[b] * third.weight[t] *
                             gather(x, first.offset[a] + second.offset[b] + third.offset[t], size);
        put(y, total, width);
    }
}

template <class T, int Taps, int Axes>
void rows(const Job<T>& job, int threads) {
    const Plan& plan = job.plan;
    const int64_t rows = plan.out[0] * plan.out[1], wide = plan.out[2];
    const int parts = parts_for(plan.batch * plan.channels * rows * wide, threads);
    const int64_t size = plan.in[0] * plan.in[1] * plan.in[2];
    const bool interleaved = sizeof(T) == 1 && Taps == 2 && Axes == 2 && plan.channels == 3;
    Scratch<uint32_t> pixels(interleaved ? size : 0, parts);
    parallel(parts, [&](int part) {
        const Share share_ = share(plan.batch * rows, part, parts);
        for (int64_t r = share_.begin; r < share_.end; ++r) {
            const int64_t sample = r / rows, d = r % rows / plan.out[1], h = r % plan.out[1];
            if constexpr (sizeof(T) == 1)
                if (interleaved && (h == 0 || r == share_.begin)) interleave(job.x + sample * 3 * size, size, pixels[part]);
            each_vector(wide, [&](int64_t w, auto width) {
                read<T, Taps, Axes>(job, interleaved ? pixels[part] : nullptr, sample, d, h, w, width);
            });
        }
    });
}

template <class T, int Taps>
void with_axes(const Job<T>& job, int axes, int threads) {
    if (axes == 1)
        rows<T, Taps, 1>(job, threads);
    else if (axes == 2)
        rows<T, Taps, 2>(job, threads);
    else
        rows<T, Taps, 3>(job, threads);
}

template <class T>
void with_taps(const Job<T>& job, int taps, int axes, int threads) {
    if (taps == 1)
        with_axes<T, 1>(job, axes, threads);
    else if (taps == 2)
        with_axes<T, 2>(job, axes, threads);
    else
        with_axes<T, 4>(job, axes, threads);
}

}  // namespace

// x (batch, channels, *in), y (batch, channels, *out), contiguous: bytes, or floats. taps: 1 nearest, 2 linear, 4 cubic.
LENREK_KERNEL(void, resample)(int bytes, int taps, int axes, const void* plan, const void* x, void* y,
                              const double* matrices, const float* displacements, float outside, int threads) {
    const Plan& p = *static_cast<const Plan*>(plan);
    if (bytes)
        with_taps<uint8_t>({p, static_cast<const uint8_t*>(x), static_cast<uint8_t*>(y), matrices, displacements, outside},
                           taps, axes, threads);
    else
        with_taps<float>({p, static_cast<const float*>(x), static_cast<float*>(y), matrices, displacements, outside},
                         taps, axes, threads);
}

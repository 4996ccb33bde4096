// Every output sample is read where a map of its own says: at matrix · p, plus a displacement where there is one, between
// the samples interpolated and outside them by the boundary. One to three axes, bytes or floats, channels one by one.
//
// A vector holds neighbouring outputs of a row. Most of their sources lie inside: there two gathers per channel fetch
// all that linear interpolation of bytes needs, because a gather of four bytes brings the neighbour along.
#pragma once

#include "simd.h"

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

// Also where NaN: then the lowest.
inline Floats limited(Floats v, float lowest, float highest) {
    return least(highest, v > lowest ? v : all(lowest));
}
inline Ints at_most(int32_t highest, Ints v) { return v < highest ? v : all(highest); }

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
    }
}

// Where linear interpolation along two axes reads: at `offset` and one sample farther right, down, and both.
struct Square {
    Ints offset;
    Floats down, right;  // how much of the way
    bool inside;         // otherwise the boundary says what is read, and the others mean nothing

    template <class T, class W>
    Square(const Job<T>& job, int64_t sample, int64_t h, int64_t w, W width) {
        const int32_t high = static_cast<int32_t>(job.plan.in[1]), wide = static_cast<int32_t>(job.plan.in[2]);
        const bool replicated = job.plan.boundary == kReplicate;  // what repeats the edge is the edge
        Floats at[3];
        positions<T, 2>(job, sample, 0, h, w, width, at);
        down = replicated ? limited(at[1], 0.0f, static_cast<float>(high - 1)) : limited(at[1], -kFar, kFar);
        right = replicated ? limited(at[2], 0.0f, static_cast<float>(wide - 1)) : limited(at[2], -kFar, kFar);
        inside = high > 1 && wide > 1 &&
                 (replicated || !any((down < 0.0f) | (down > static_cast<float>(high - 1)) | (right < 0.0f) |
                                     (right > static_cast<float>(wide - 1))));
        const Ints i = at_most(high - 2, truncated(down)), j = at_most(wide - 2, truncated(right));
        offset = i * wide + j;
        down -= to_floats(i);  // 1 at the last sample, the second of the two before the end
        right -= to_floats(j);
    }
};

template <class T, int Taps, int Axes, class W>
inline void read(const Job<T>& job, int64_t sample, int64_t d, int64_t h, int64_t w, W width) {
    constexpr int A = Axes > 2 ? Taps : 1, B = Axes > 1 ? Taps : 1;
    const Plan& plan = job.plan;
    const int32_t high = static_cast<int32_t>(plan.in[1]), wide = static_cast<int32_t>(plan.in[2]);
    const int64_t size = plan.in[0] * plan.in[1] * plan.in[2], count = plan.out[0] * plan.out[1] * plan.out[2];
    const T* x = job.x + sample * plan.channels * size;
    T* y = job.y + sample * plan.channels * count + (d * plan.out[1] + h) * plan.out[2] + w;
    if constexpr (Taps == 2 && Axes == 2) {
        const Square square(job, sample, h, w, width);
        if (square.inside) {
            for (int64_t c = 0; c < plan.channels; ++c, x += size, y += count)
                put(y, (1.0f - square.down) * between(x, square.offset, size, square.right) +
                           square.down * between(x, square.offset + wide, size, square.right),
                    width);
            return;
        }
    }
    Floats at[3] = {Floats{}, Floats{}, Floats{}};
    positions<T, Axes>(job, sample, d, h, w, width, at);
    for (int k = 0; k < 3; ++k) at[k] = limited(at[k], -kFar, kFar);
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

}  // namespace

// Mean and variance of every channel over all rows of x (rows, channels).
//
// A block of 128 rows, which the first-level cache holds, is read twice: for its mean in float, and for what its rows
// deviate from that. So a mean far from zero or a row unlike the others cost no digits. Blocks are joined in double, in
// order, by Chan's formula (Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115).
#pragma once

#include "scratch.h"
#include "simd.h"
#include "threads.h"

namespace {

constexpr int64_t kBlock = 128;

struct Moments {
    double* mean;
    double* square;  // Σ (x − mean)²
};

// Joins values with the given mean and Σ (x − mean)² to those there are: `share` is theirs of all, `weight` the product of
// both counts by their sum. An infinite mean stays infinite.
inline void join(double* mean, double* square, double share, double weight, double other_mean, double other_square) {
    const double delta = other_mean - *mean;
    *mean = *mean * (1 - share) + other_mean * share;
    *square += other_square + delta * delta * weight;
}

template <class T, class W>
void add_block(const T* x, int64_t rows, int64_t channels, int64_t c, W width, double before, Moments moments) {
    Floats total{}, sum{}, square{};
    for (int64_t r = 0; r < rows; ++r) total += load(x + r * channels + c, width);
    Floats centre = total / static_cast<float>(rows);
    centre = centre - centre == all(0.f) ? centre : Floats{};  // infinite − infinite would hide the rest
    for (int64_t r = 0; r < rows; ++r) {
        const Floats d = load(x + r * channels + c, width) - centre;
        sum += d;
        square += d * d;
    }
    const double n = static_cast<double>(rows), share = n / (before + n), weight = before * share;
    const int64_t lanes = channels - c < kLanes ? channels - c : kLanes;
    for (int64_t i = 0; i < lanes; ++i) {
        const double shift = sum[i] / n;
        join(moments.mean + c + i, moments.square + c + i, share, weight, centre[i] + shift, square[i] - sum[i] * shift);
    }
}

template <class T>
void moments_of(const T* x, Share rows, int64_t channels, Moments moments) {
    for (int64_t r = rows.begin; r < rows.end; r += kBlock) {
        const int64_t block = rows.end - r < kBlock ? rows.end - r : kBlock;
        each_vector(channels, [&](int64_t c, auto width) {
            add_block(x + r * channels, block, channels, c, width, static_cast<double>(r - rows.begin), moments);
        });
    }
}

// mean and variance (biased, Σ (x − mean)² / rows): arrays of `channels` doubles.
template <class T>
void channel_statistics(const T* x, int64_t rows, int64_t channels, int threads, double* mean, double* variance) {
    const int parts = parts_for(rows * channels, threads);
    Scratch<double> scratch(2 * channels, parts);
    parallel(parts, [&](int part) {
        moments_of(x, share(rows, part, parts), channels, Moments{scratch[part], scratch[part] + channels});
    });
    for (int64_t c = 0; c < channels; ++c) {
        double count = 0;
        mean[c] = variance[c] = 0;
        for (int part = 0; part < parts; ++part) {
            const Share mine = share(rows, part, parts);
            const double n = static_cast<double>(mine.end - mine.begin);
            count += n;
            if (n > 0)
                join(mean + c, variance + c, n / count, n * (count - n) / count, scratch[part][c],
                     scratch[part][channels + c]);
        }
        variance[c] /= static_cast<double>(rows);
    }
}

}  // namespace

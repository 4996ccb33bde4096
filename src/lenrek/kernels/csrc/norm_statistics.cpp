// Mean and variance of every channel over all rows of x (rows, channels).
//
// Blocks of 64 rows are summed in float about their own first row, then joined in double by Chan's formula, in order. About
// a row of its own, the squares of a block exceed its variance by at most 64 times, whatever the mean: the error stays
// below 64 · 2⁻²⁴ = 4e-6 of the variance (Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115).
#include "isa.h"
#include "scratch.h"
#include "simd.h"
#include "threads.h"

namespace {

constexpr int64_t kBlock = 64;

struct Moments {
    double* mean;
    double* square;  // Σ (x − mean)²
};

// Joins n more values with the given mean and Σ (x − mean)² to the `count` there are.
inline void join(double count, double* mean, double* square, double n, double other_mean, double other_square) {
    const double delta = other_mean - *mean, share = n / (count + n);
    *mean += delta * share;
    *square += other_square + delta * delta * count * share;
}

template <class T, class W>
void add_block(const T* x, int64_t rows, int64_t channels, int64_t c, W width, double before, Moments moments) {
    const Floats first = load(x + c, width);
    const Floats centre = first - first == all(0.f) ? first : all(0.f);  // infinite − infinite would hide the rest
    Floats sum{}, square{};
    for (int64_t r = 0; r < rows; ++r) {
        const Floats d = load(x + r * channels + c, width) - centre;
        sum += d;
        square += d * d;
    }
    const double n = static_cast<double>(rows);
    const int64_t lanes = channels - c < kLanes ? channels - c : kLanes;
    for (int64_t i = 0; i < lanes; ++i) {
        const double mean = sum[i] / n;
        join(before, moments.mean + c + i, moments.square + c + i, n, centre[i] + mean, square[i] - sum[i] * mean);
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

}  // namespace

// mean and variance (biased, Σ (x − mean)² / rows) are written to arrays of `channels` doubles.
LENREK_KERNEL(void, norm_statistics)
(int type, const void* x, int64_t rows, int64_t channels, int threads, double* mean, double* variance) {
    const int parts = parts_for(rows * channels, threads);
    Scratch<double> scratch(2 * channels, parts);
    with_type(type, [&]<class T>(T) {
        parallel(parts, [&](int part) {
            moments_of(static_cast<const T*>(x), Share(rows, part, parts), channels,
                       Moments{scratch[part], scratch[part] + channels});
        });
    });
    for (int64_t c = 0; c < channels; ++c) {
        double count = 0;
        mean[c] = variance[c] = 0;
        for (int part = 0; part < parts; ++part) {
            const Share share(rows, part, parts);
            const double n = static_cast<double>(share.end - share.begin);
            if (n > 0) join(count, mean + c, variance + c, n, scratch[part][c], scratch[part][channels + c]);
            count += n;
        }
        variance[c] /= static_cast<double>(rows);
    }
}

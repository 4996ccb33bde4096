// Mean and variance of every channel over all pixels of x (pixels, channels).
//
// Sums in float of blocks of 128 rows are joined in double, in order, by Chan's formula (Chan, Golub, LeVeque 1983,
// doi:10.1080/00031305.1983.10483115). They are of what a row deviates from the mean of all rows before, so that a mean far
// from zero costs no digits: where a block lies far from that mean, so much the greater is the variance that the error is
// to be compared with. Of the first block, which has none before, the mean is taken first.
#pragma once

#include "rows.h"
#include "scratch.h"
#include "simd.h"
#include "threads.h"

namespace {

constexpr int64_t kBlock = 128;

// Joins values with the given mean and Σ (x − mean)² to those there are: `share` is theirs of all, `weight` the product
// of both counts by their sum. An infinite mean stays infinite.
template <class V>
inline void join(V& mean, V& square, double share, double weight, V other_mean, V other_square) {
    const V delta = other_mean - mean;
    mean = mean * (1 - share) + other_mean * share;
    square += other_square + delta * delta * weight;
}

// A vector of channels: the sums of a block of rows, and mean and Σ (x − mean)² of all before.
struct Column {
    Floats centre, sum, square;  // sum: Σ (x − centre), square: Σ (x − centre)²
    Doubles mean, total;

    void join_block(double before, double rows) {
        const double share = rows / (before + rows);
        const Doubles sums = __builtin_convertvector(sum, Doubles), shift = sums * (1 / rows);
        join(mean, total, share, before * share, __builtin_convertvector(centre, Doubles) + shift,
             __builtin_convertvector(square, Doubles) - sums * shift);
        aim(__builtin_convertvector(mean, Floats));
    }
    void aim(Floats at) {
        centre = at - at == all(0.f) ? at : Floats{};  // infinite − infinite would hide the rest
        sum = square = Floats{};
    }
};

// N rows from x on.
template <int N, class T>
inline void add_rows(const T* x, int64_t width, Column* columns) {
    each_vector(width, [&](int64_t c, auto lanes) {
        Column& column = columns[c / kLanes];
        const Floats centre = column.centre;
        Floats sum = column.sum, square = column.square;
        for (int r = 0; r < N; ++r) {
            const Floats d = load(x + r * width + c, lanes) - centre;
            sum += d;
            square += d * d;
        }
        column.sum = sum, column.square = square;
    });
}

// Of bfloat16 four rows at once, so that the sums are read and written for every fourth only. Of float one: there memory
// is what takes time, and it is fastest in a single stream.
template <class T>
void add_block(const T* x, Share rows, int64_t width, Column* columns) {
    constexpr int kTogether = sizeof(T) == 2 ? 4 : 1;
    int64_t r = rows.begin;
    for (; r + kTogether <= rows.end; r += kTogether) add_rows<kTogether>(x + r * width, width, columns);
    for (; r < rows.end; ++r) add_rows<1>(x + r * width, width, columns);
}

template <class T>
void moments_of(const T* x, Share rows, int64_t width, Column* columns) {
    const int64_t vectors = padded(width) / kLanes;
    for (int64_t begin = rows.begin; begin < rows.end; begin += kBlock) {
        const Share block{begin, begin + kBlock < rows.end ? begin + kBlock : rows.end};
        const auto n = static_cast<double>(block.end - begin), before = static_cast<double>(begin - rows.begin);
        add_block(x, block, width, columns);
        if (before == 0) {
            for (int64_t v = 0; v < vectors; ++v) columns[v].aim(columns[v].sum / static_cast<float>(n));
            add_block(x, block, width, columns);
        }
        for (int64_t v = 0; v < vectors; ++v) columns[v].join_block(before, n);
    }
}

// mean and variance (biased, Σ (x − mean)² / pixels): arrays of `channels` doubles.
template <class T>
void channel_statistics(const T* x, const Rows& rows, int threads, double* mean, double* variance) {
    const int parts = parts_for(rows.pixels * rows.channels, threads);
    Scratch<Column> columns(padded(rows.width) / kLanes, parts);
    parallel(parts, [&](int part) { moments_of(x, share(rows.count, part, parts), rows.width, columns[part]); });
    for (int64_t c = 0; c < rows.channels; ++c) {
        double count = 0;
        mean[c] = variance[c] = 0;
        const auto add = [&](double n, double other_mean, double other_square) {
            count += n;
            join(mean[c], variance[c], n / count, n * (count - n) / count, other_mean, other_square);
        };
        for (int part = 0; part < parts; ++part) {
            const Share mine = share(rows.count, part, parts);
            for (int64_t i = c; i < rows.width && mine.begin < mine.end; i += rows.channels)
                add(static_cast<double>(mine.end - mine.begin), columns[part][i / kLanes].mean[i % kLanes],
                    columns[part][i / kLanes].total[i % kLanes]);
        }
        const T* const rest = x + rows.count * rows.width;
        for (int64_t i = c; i < rows.rest; i += rows.channels) add(1, load(rest + i, Part{1})[0], 0);
        variance[c] /= count;
    }
}

}  // namespace

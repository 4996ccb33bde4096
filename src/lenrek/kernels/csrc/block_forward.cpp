// The fused block, forward: one pass for the statistics, one that normalises, adds, activates and pools. Nothing between
// is written to memory but one byte per output of a max-pool: which place of its window was the greatest.
#include "activation.h"
#include "block.h"
#include "isa.h"
#include "simd.h"
#include "statistics.h"
#include "threads.h"
#include "windows.h"

namespace {

template <class T>
struct Forward {
    const T *x, *residual;
    const float *mean, *scale, *shift;
    float slope;
    T* y;
    uint8_t* index;
    int64_t channels;
};

// Some channels: their constants, and what a pixel of theirs is before the activation.
template <class T, class W>
struct Channels {
    const T *x, *residual;
    W width;
    Floats mean, scale, shift;

    Channels(const Forward<T>& f, int64_t c, W width)
        : x(f.x + c),
          residual(f.residual ? f.residual + c : nullptr),
          width(width),
          mean(load(f.mean + c, Whole{})),
          scale(load(f.scale + c, Whole{})),
          shift(load(f.shift + c, Whole{})) {}

    Floats operator()(int64_t offset) const {
        const Floats z = (load(x + offset, width) - mean) * scale + shift;
        return residual ? z + load(residual + offset, width) : z;
    }
};

template <Activation A, class T>
void transform(const Forward<T> f, const Rows rows, Share mine) {
    for (int64_t row = mine.begin; row < mine.end; ++row) {
        const int64_t offset = row * rows.width, width = rows.width_of(row);
        each_vector(width, [&](int64_t c, auto lanes) {
            store(f.y + offset + c, activate<A>(Channels(f, c, lanes)(offset), f.slope), lanes);
        });
    }
}

struct Maximum {
    Floats value;
    Ints place;
};

// The first greatest wins; NaN is greater than all, as in PyTorch.
template <class Value>
inline Maximum maximum(const Tap* taps, int64_t count, const Value& value) {
    Maximum best{all(-__builtin_inff()), all(taps[0].place)};
    for (int64_t t = 0; t < count; ++t) {
        const Floats v = value(taps[t].offset);
        const Ints greater = (v > best.value) | (v != v);
        best.value = greater ? v : best.value;
        best.place = greater ? all(taps[t].place) : best.place;
    }
    return best;
}

// The same for a number of taps known to the compiler: no comparison waits for the one before.
template <int N, class Value>
inline Maximum maximum_of(const Tap* taps, const Value& value) {
    Floats v[N];
    for (int t = 0; t < N; ++t) v[t] = value(taps[t].offset);
    Maximum best{v[0], all(taps[0].place)};
    Floats sum = v[0];
    for (int t = 1; t < N; ++t) best.value = v[t] > best.value ? v[t] : best.value, sum += v[t];
    if (any(sum != sum)) return maximum(taps, N, value);  // NaN, or infinities that make one
    for (int t = N - 1; t > 0; --t) best.place = v[t] == best.value ? all(taps[t].place) : best.place;
    best.place = v[0] == best.value ? all(taps[0].place) : best.place;
    return best;
}

template <Activation A, class T, class W>
inline void pool_max(const Forward<T>& f, const Tap* taps, int64_t count, int64_t out, int64_t c, W width) {
    const Channels channels(f, c, width);
    Floats best;
    Ints where;
    const auto value = [&](int64_t offset) {
        const Floats z = channels(offset);
        return is_clip(A) ? z : activate<A>(z, f.slope);
    };
    const Maximum found = count == 4   ? maximum_of<4>(taps, value)
                          : count == 9 ? maximum_of<9>(taps, value)
                          : count == 2 ? maximum_of<2>(taps, value)
                          : count == 8 ? maximum_of<8>(taps, value)
                                       : maximum(taps, count, value);
    best = found.value, where = found.place;
    if constexpr (is_clip(A)) {
        where = is_flat<A>(best) ? all(kNobody) : where;
        best = activate<A>(best, f.slope);
    }
    store(f.y + out + c, best, width);
    store(f.index + out + c, where, width);
}

template <Activation A, class T, class W>
inline void pool_average(const Forward<T>& f, const Tap* taps, int64_t count, float share, int64_t out, int64_t c, W width) {
    const Channels channels(f, c, width);
    Floats total{};
    for (int64_t begin = 0; begin < count; begin += 64) {  // few at a time, so that long sums keep their digits
        Floats sum{};
        for (int64_t t = begin; t < count && t < begin + 64; ++t) sum += activate<A>(channels(taps[t].offset), f.slope);
        total += sum;
    }
    store(f.y + out + c, total * share, width);
}

template <Activation A, Pooling P, class T>
void pool(const Forward<T> f, const Windows& windows, Share pixels) {
    const float share = 1.f / static_cast<float>(windows.volume);
    Walk walk(windows, pixels.begin);
    const Tap* const taps = walk.taps();
    for (int64_t pixel = pixels.begin; pixel < pixels.end; ++pixel, walk.next()) {
        const int64_t out = pixel * f.channels, count = walk.find();
        each_vector(f.channels, [&](int64_t c, auto width) {
            if constexpr (P == Pooling::max)
                pool_max<A>(f, taps, count, out, c, width);
            else
                pool_average<A>(f, taps, count, share, out, c, width);
        });
    }
}

template <class T>
void batch_statistics(const Rows& rows, const T* x, double eps, int threads, Statistics statistics) {
    Scratch<double> moments(2 * rows.channels);
    double *mean = moments[0], *variance = mean + rows.channels;
    channel_statistics(x, rows, threads, mean, variance);
    const double pixels = static_cast<double>(rows.pixels), unbiased = pixels / (pixels - 1);
    for (int64_t c = 0; c < rows.channels; ++c) {
        statistics.set(c, mean[c], variance[c], eps);
        statistics.unbiased[c] = static_cast<float>(variance[c] * unbiased);
    }
}

}  // namespace

// statistics: null without normalisation; else (4, channels), filled here, from the batch where running_mean is null.
// residual, weight, bias may be null. index: one byte per output of a max-pool.
LENREK_KERNEL(void, block_forward)
(int type, const Geometry* geometry, const void* x, const void* residual, const float* weight, const float* bias,
 const float* running_mean, const float* running_var, double eps, float* statistics, int activation, float slope,
 int pooling, void* y, uint8_t* index, int threads) {
    const Geometry& g = *geometry;
    const Rows rows(g.batch * g.in_pixels(), g.channels);
    with_type(type, [&]<class T>(T) {
        if (statistics && running_mean) {
            for (int64_t c = 0; c < g.channels; ++c)
                Statistics(statistics, g.channels).set(c, running_mean[c], running_var[c], eps);
        } else if (statistics) {
            batch_statistics(rows, static_cast<const T*>(x), eps, threads, Statistics(statistics, g.channels));
        }
        const Affine affine(rows, statistics, weight, bias);
        const Forward<T> forward{static_cast<const T*>(x), static_cast<const T*>(residual), affine.mean, affine.scale,
                                 affine.shift, slope, static_cast<T*>(y), index, g.channels};
        const Windows windows(g, Side::output);
        const int parts = parts_for(g.batch * g.in_pixels() * g.channels, threads);
        with_activation(activation, [&]<Activation A>() {
            with_pooling(pooling, [&]<Pooling P>() {
                parallel(parts, [&](int part) {
                    if constexpr (P == Pooling::none)
                        transform<A>(forward, rows, rows.share_of(part, parts));
                    else
                        pool<A, P>(forward, windows, share(g.batch * g.out_pixels(), part, parts));
                });
            });
        });
    });
}

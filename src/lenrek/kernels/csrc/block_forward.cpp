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
    const Geometry& g;
    const T *x, *residual;
    const Affine& affine;
    float slope;
    T* y;
    uint8_t* index;

    // z of the channels from c on, of the pixel that begins at `offset`.
    template <class W>
    Floats before_activation(int64_t offset, int64_t c, W width) const {
        const Floats centred = load(x + offset + c, width) - load(affine.mean + c, width);
        const Floats z = centred * load(affine.scale + c, width) + load(affine.shift + c, width);
        return residual ? z + load(residual + offset + c, width) : z;
    }
};

// One output: the pixels [begin, end) on each axis of `image`, whose window begins at `start`.
struct Window {
    int64_t image;
    Reach d, h, w;
    int64_t start;  // of the first place, in places; see `place`

    Window(const Geometry& g, const Position& at)
        : image(at.image * g.in_pixels()),
          d(read_by_output(g, 0, at.d)),
          h(read_by_output(g, 1, at.h)),
          w(read_by_output(g, 2, at.w)),
          start((place(g, 0, at.d, 0) * g.kernel[1] + place(g, 1, at.h, 0)) * g.kernel[2] + place(g, 2, at.w, 0)) {}

    // body(offset in x, place in the window) for every pixel, in row-major order.
    template <class Body>
    void each(const Geometry& g, const Body& body) const {
        for (int64_t i = d.begin; i < d.end; ++i)
            for (int64_t j = h.begin; j < h.end; ++j) {
                const int64_t row = image + (i * g.in[1] + j) * g.in[2];
                const int64_t places = start + (i * g.kernel[1] + j) * g.kernel[2];
                for (int64_t k = w.begin; k < w.end; ++k) body((row + k) * g.channels, static_cast<int32_t>(places + k));
            }
    }
};

// The first greatest wins; NaN is greater than all, as in PyTorch.
template <Activation A, class T, class W>
inline void pool_max(const Forward<T>& f, const Window& window, int64_t out, int64_t c, W width) {
    Floats best = all(-__builtin_inff());
    Ints where = all(static_cast<int32_t>(window.start + (window.d.begin * f.g.kernel[1] + window.h.begin) * f.g.kernel[2] +
                                          window.w.begin));
    window.each(f.g, [&](int64_t offset, int32_t at) {
        Floats v = f.before_activation(offset, c, width);
        if constexpr (!is_clip(A)) v = activate<A>(v, f.slope);
        const Ints greater = (v > best) | (v != v);
        best = greater ? v : best;
        where = greater ? all(at) : where;
    });
    if constexpr (is_clip(A)) {
        where = is_flat<A>(best) ? all(kNobody) : where;
        best = activate<A>(best, f.slope);
    }
    store(f.y + out + c, best, width);
    store(f.index + out + c, where, width);
}

template <Activation A, class T, class W>
inline void pool_average(const Forward<T>& f, const Window& window, int64_t out, int64_t c, W width) {
    Floats sum{};
    window.each(f.g, [&](int64_t offset, int32_t) { sum += activate<A>(f.before_activation(offset, c, width), f.slope); });
    store(f.y + out + c, sum / static_cast<float>(f.g.volume()), width);
}

template <Activation A, Pooling P, class T>
void run(const Forward<T>& f, Share outputs) {
    const int64_t channels = f.g.channels;
    Position at(f.g.out, outputs.begin);
    for (int64_t pixel = outputs.begin; pixel < outputs.end; ++pixel, at.next(f.g.out)) {
        const int64_t out = pixel * channels;
        if constexpr (P == Pooling::none) {
            each_vector(channels, [&](int64_t c, auto width) {
                store(f.y + out + c, activate<A>(f.before_activation(out, c, width), f.slope), width);
            });
        } else {
            const Window window(f.g, at);
            each_vector(channels, [&](int64_t c, auto width) {
                if constexpr (P == Pooling::max)
                    pool_max<A>(f, window, out, c, width);
                else
                    pool_average<A>(f, window, out, c, width);
            });
        }
    }
}

template <class T>
void batch_statistics(const Geometry& g, const T* x, double eps, int threads, Statistics statistics) {
    Scratch<double> moments(2 * g.channels);
    double *mean = moments[0], *variance = mean + g.channels;
    const int64_t rows = g.batch * g.in_pixels();
    channel_statistics(x, rows, g.channels, threads, mean, variance);
    const double unbiased = static_cast<double>(rows) / static_cast<double>(rows - 1);
    for (int64_t c = 0; c < g.channels; ++c) {
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
    with_type(type, [&]<class T>(T) {
        if (statistics && running_mean) {
            for (int64_t c = 0; c < g.channels; ++c)
                Statistics(statistics, g.channels).set(c, running_mean[c], running_var[c], eps);
        } else if (statistics) {
            batch_statistics(g, static_cast<const T*>(x), eps, threads, Statistics(statistics, g.channels));
        }
        const Affine affine(g.channels, statistics, weight, bias);
        const Forward<T> forward{g,     static_cast<const T*>(x), static_cast<const T*>(residual), affine,
                                 slope, static_cast<T*>(y),       index};
        const int parts = parts_for(g.batch * g.in_pixels() * g.channels, threads);
        with_activation(activation, [&]<Activation A>() {
            with_pooling(pooling, [&]<Pooling P>() {
                parallel(parts, [&](int part) { run<A, P>(forward, share(g.batch * g.out_pixels(), part, parts)); });
            });
        });
    });
}

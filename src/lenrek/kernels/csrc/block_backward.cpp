// The fused block, backward. The gradient of every input is gathered from the windows that read it, so that nothing is
// filled with zeros or written twice: one pass for the two sums per channel that the statistics need, one that writes.
#include "activation.h"
#include "block.h"
#include "isa.h"
#include "simd.h"
#include "threads.h"
#include "windows.h"

namespace {

// Sums per channel, in double; floats in between hold at most 64 pixels of one thread.
constexpr int64_t kBlock = 64;

struct Sums {
    float *gradient, *product;              // Σ dz, Σ dz · (x − mean), padded
    double *gradient_total, *product_total;

    void flush(int64_t channels) const {
        for (int64_t c = 0; c < channels; ++c) {
            gradient_total[c] += gradient[c];
            product_total[c] += product[c];
            gradient[c] = product[c] = 0;
        }
    }
};

// dx = gradient · scale + (x − mean) · slope + offset: what the statistics take away is linear in x; null, nothing is. Padded.
struct Projection {
    const float *scale, *slope, *offset;
};

template <class T>
struct Backward {
    const T *dy, *x, *residual;  // x is null where no value depends on it
    const uint8_t* index;
    const float *mean, *scale, *shift;
    float slope;
    int64_t channels;
};

// What one pass produces; null pointers for what it does not. dresidual is dz.
template <class T>
struct Results {
    T *dx, *dresidual;
    Projection projection;
};

// The gradient of one pixel after the activation, from the outputs that read it.
template <Pooling P, class T, class W>
inline Floats gather(const Backward<T>& b, const Tap* taps, int64_t count, float share, int64_t c, W width) {
    Floats sum{};
    for (int64_t t = 0; t < count; ++t) {
        const int64_t from = taps[t].offset + c;
        const Floats v = load(b.dy + from, width);
        if constexpr (P == Pooling::max)
            sum += load(b.index + from, width) == taps[t].place ? v : Floats{};
        else
            sum += v;
    }
    return P == Pooling::average ? sum * share : sum;
}

// The channels from c on, of the pixel at `in`, whose gradient after the activation is given.
template <Activation A, class T, class W>
inline void consume(const Backward<T>& b, const Sums& sums, const Results<T>& results, Floats dz, int64_t in, int64_t c,
                    W width) {
    Floats centred{};
    if (b.x) centred = load(b.x + in + c, width) - load(b.mean + c, Whole{});
    if constexpr (A != Activation::identity) {
        Floats z = centred * load(b.scale + c, Whole{}) + load(b.shift + c, Whole{});
        if (b.residual) z += load(b.residual + in + c, width);
        dz = activate_backward<A>(dz, z, b.slope);
    }
    if (sums.gradient) {
        store(sums.gradient + c, load(sums.gradient + c, Whole{}) + dz, Whole{});
        store(sums.product + c, load(sums.product + c, Whole{}) + dz * centred, Whole{});
    }
    if (results.dresidual) store(results.dresidual + in + c, dz, width);
    if (results.dx) {
        const Projection& p = results.projection;
        Floats v = dz * load(p.scale + c, Whole{});
        if (p.slope) v += centred * load(p.slope + c, Whole{}) + load(p.offset + c, Whole{});
        store(results.dx + in + c, v, width);
    }
}

template <Activation A, Pooling P, class T>
void run(const Backward<T> b, const Windows& readers, Share pixels, const Sums sums, const Results<T> results) {
    const float share = 1.f / static_cast<float>(readers.volume);
    Walk walk(readers, pixels.begin);
    const Tap* const taps = walk.taps();
    int64_t until_flush = kBlock;
    for (int64_t pixel = pixels.begin; pixel < pixels.end; ++pixel) {
        const int64_t in = pixel * b.channels;
        if constexpr (P == Pooling::none) {
            each_vector(b.channels, [&](int64_t c, auto width) {
                consume<A>(b, sums, results, load(b.dy + in + c, width), in, c, width);
            });
        } else {
            const int64_t count = walk.find();
            each_vector(b.channels, [&](int64_t c, auto width) {
                consume<A>(b, sums, results, gather<P>(b, taps, count, share, c, width), in, c, width);
            });
            walk.next();
        }
        if (sums.gradient && (--until_flush == 0 || pixel + 1 == pixels.end)) {
            sums.flush(b.channels);
            until_flush = kBlock;
        }
    }
}

template <class T>
void pass(const Backward<T>& b, const Geometry& g, const Windows& readers, int activation, int pooling, int threads,
          double* totals, const Results<T>& results) {
    const int64_t channels = g.channels, pixels = g.batch * g.in_pixels();
    const int parts = parts_for(pixels * channels, threads);
    Scratch<float> block(2 * padded(channels), parts);
    Scratch<double> total(2 * channels, parts);
    with_activation(activation, [&]<Activation A>() {
        with_pooling(pooling, [&]<Pooling P>() {
            parallel(parts, [&](int part) {
                const Sums sums = totals ? Sums{block[part], block[part] + padded(channels), total[part], total[part] + channels}
                                         : Sums{};
                run<A, P>(b, readers, share(pixels, part, parts), sums, results);
            });
        });
    });
    for (int part = 0; totals && part < parts; ++part)
        for (int64_t i = 0; i < 2 * channels; ++i) totals[i] += total[part][i];
}

}  // namespace

// x may be null where the activation is not, or a clip before a max-pool, and nothing was normalised. Null results are not
// computed. from_batch: the statistics are the batch's own, so that dx answers for them.
LENREK_KERNEL(void, block_backward)
(int type, const Geometry* geometry, const void* dy, const void* x, const void* residual, const uint8_t* index,
 const float* weight, const float* bias, const float* statistics, int from_batch, int activation, float slope,
 int pooling, void* dx, void* dresidual, float* dweight, float* dbias, int threads) {
    const Geometry& g = *geometry;
    const int64_t channels = g.channels;
    const Pooling pool = static_cast<Pooling>(pooling);
    if (pool == Pooling::max && is_clip(static_cast<Activation>(activation)))
        activation = static_cast<int>(Activation::identity);  // what it cut off, the index has already
    const Affine affine(channels, statistics, weight, bias);
    const Windows readers(g, Side::input);
    Scratch<double> scratch(2 * channels);
    Scratch<float> taken(2 * padded(channels));
    double* totals = dweight || dbias || (from_batch && dx) ? scratch[0] : nullptr;
    with_type(type, [&]<class T>(T) {
        Backward<T> backward{static_cast<const T*>(dy), static_cast<const T*>(x), static_cast<const T*>(residual), index,
                             affine.mean, affine.scale, affine.shift, slope, channels};
        Results<T> results{from_batch ? nullptr : static_cast<T*>(dx), static_cast<T*>(dresidual),
                           Projection{affine.scale, nullptr, nullptr}};
        if (from_batch && !dresidual && is_costly(static_cast<Activation>(activation)))
            results.dresidual = static_cast<T*>(dx);  // dz, for the second pass
        pass(backward, g, readers, activation, pooling, threads, totals, results);
        const double rows = static_cast<double>(g.batch * g.in_pixels());
        for (int64_t c = 0; totals && c < channels; ++c) {
            const double gradient = totals[c];
            double product = totals[channels + c];  // Σ dz · x̂ = (Σ dz (x − mean) − rest Σ dz) / σ
            if (statistics) {
                const double rest = statistics[channels + c], rstd = statistics[2 * channels + c];
                product = (product - rest * gradient) * rstd;
                const double scale = affine.scale[c];
                taken[0][c] = static_cast<float>(-scale * rstd * product / rows);
                taken[0][padded(channels) + c] = static_cast<float>(scale * (rest * rstd * product - gradient) / rows);
            }
            if (dweight) dweight[c] = static_cast<float>(product);
            if (dbias) dbias[c] = static_cast<float>(gradient);
        }
        if (!from_batch || !dx) return;
        results.dx = static_cast<T*>(dx);
        results.projection.slope = taken[0], results.projection.offset = taken[0] + padded(channels);
        if (results.dresidual) {  // where dz was written
            backward.dy = results.dresidual, backward.residual = nullptr, results.dresidual = nullptr;
            activation = static_cast<int>(Activation::identity), pooling = static_cast<int>(Pooling::none);
        }
        pass(backward, g, readers, activation, pooling, threads, nullptr, results);
    });
}

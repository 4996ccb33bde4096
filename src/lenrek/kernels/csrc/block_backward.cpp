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
    float *gradient, *product;              // Σ dz, Σ dz · (x − mean)
    double *gradient_total, *product_total;

    void flush(int64_t channels) const {
        for (int64_t c = 0; c < channels; ++c) {
            gradient_total[c] += gradient[c];
            product_total[c] += product[c];
            gradient[c] = product[c] = 0;
        }
    }
};

// dx = gradient · scale + (x − mean) · slope + offset: what the statistics take away is linear in x; null, nothing is.
struct Projection {
    const float *scale, *slope, *offset;
};

template <class T>
struct Backward {
    const Geometry& g;
    const T *dy, *x, *residual;  // x is null where no value depends on it
    const uint8_t* index;
    const Affine& affine;
    float slope;
};

// The windows that read one pixel.
struct Readers {
    int64_t image;
    Reach d, h, w;
    int64_t place;  // of the pixel in the window of output 0

    Readers(const Geometry& g, const Position& at)
        : image(at.image * g.out_pixels()),
          d(reading_input(g, 0, at.d)),
          h(reading_input(g, 1, at.h)),
          w(reading_input(g, 2, at.w)),
          place((::place(g, 0, 0, at.d) * g.kernel[1] + ::place(g, 1, 0, at.h)) * g.kernel[2] + ::place(g, 2, 0, at.w)) {}

    // body(offset in dy, place of the pixel in that window)
    template <class Body>
    void each(const Geometry& g, const Body& body) const {
        for (int64_t i = d.begin; i < d.end; ++i)
            for (int64_t j = h.begin; j < h.end; ++j) {
                const int64_t row = image + (i * g.out[1] + j) * g.out[2];
                const int64_t places = place - (i * g.stride[0] * g.kernel[1] + j * g.stride[1]) * g.kernel[2];
                for (int64_t k = w.begin; k < w.end; ++k)
                    body((row + k) * g.channels, static_cast<int32_t>(places - k * g.stride[2]));
            }
    }
};

template <Pooling P, class T, class W>
inline Floats gather(const Backward<T>& b, const Readers& readers, int64_t c, W width) {
    Floats sum{};
    readers.each(b.g, [&](int64_t offset, int32_t at) {
        const Floats v = load(b.dy + offset + c, width);
        if constexpr (P == Pooling::max)
            sum += load(b.index + offset + c, width) == at ? v : Floats{};
        else
            sum += v;
    });
    return P == Pooling::average ? sum / static_cast<float>(b.g.volume()) : sum;
}

// consume(c, width, offset in x, dz, x − mean) for every vector of the pixels.
template <Activation A, Pooling P, class T, class Consume>
inline void each_gradient(const Backward<T>& b, Share inputs, const Consume& consume) {
    const int64_t channels = b.g.channels;
    Position at(b.g.in, inputs.begin);
    for (int64_t pixel = inputs.begin; pixel < inputs.end; ++pixel, at.next(b.g.in)) {
        const int64_t in = pixel * channels;
        const Readers readers(b.g, at);
        each_vector(channels, [&](int64_t c, auto width) {
            Floats gradient, centred{};
            if constexpr (P == Pooling::none)
                gradient = load(b.dy + in + c, width);
            else
                gradient = gather<P>(b, readers, c, width);
            if (b.x) centred = load(b.x + in + c, width) - load(b.affine.mean + c, width);
            if constexpr (A != Activation::identity) {
                Floats z = centred * load(b.affine.scale + c, width) + load(b.affine.shift + c, width);
                if (b.residual) z += load(b.residual + in + c, width);
                gradient = activate_backward<A>(gradient, z, b.slope);
            }
            consume(c, width, in + c, gradient, centred);
        });
    }
}

// What one pass produces; null pointers for what it does not.
template <class T>
struct Results {
    T *dx, *dresidual;
    Projection projection;
};

template <Activation A, Pooling P, class T>
void run(const Backward<T>& b, Share inputs, const Sums& sums, const Results<T>& results) {
    const auto consume = [&](int64_t c, auto width, int64_t in, Floats dz, Floats centred) {
        if (sums.gradient) {
            store(sums.gradient + c, load(sums.gradient + c, width) + dz, width);
            store(sums.product + c, load(sums.product + c, width) + dz * centred, width);
        }
        if (results.dresidual) store(results.dresidual + in, dz, width);
        if (results.dx) {
            const Projection& p = results.projection;
            Floats v = dz * load(p.scale + c, width);
            if (p.slope) v += centred * load(p.slope + c, width) + load(p.offset + c, width);
            store(results.dx + in, v, width);
        }
    };
    for (int64_t begin = inputs.begin; begin < inputs.end; begin += kBlock) {
        each_gradient<A, P>(b, {begin, begin + kBlock < inputs.end ? begin + kBlock : inputs.end}, consume);
        if (sums.gradient) sums.flush(b.g.channels);
    }
}

template <class T>
void pass(const Backward<T>& b, int activation, int pooling, int threads, double* totals, const Results<T>& results) {
    const int64_t channels = b.g.channels, pixels = b.g.batch * b.g.in_pixels();
    const int parts = parts_for(pixels * channels, threads);
    Scratch<float> block(2 * channels, parts);
    Scratch<double> total(2 * channels, parts);
    with_activation(activation, [&]<Activation A>() {
        with_pooling(pooling, [&]<Pooling P>() {
            parallel(parts, [&](int part) {
                const Sums sums = totals ? Sums{block[part], block[part] + channels, total[part], total[part] + channels}
                                         : Sums{};
                run<A, P>(b, share(pixels, part, parts), sums, results);
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
    Scratch<double> scratch(2 * channels);
    Scratch<float> taken(2 * channels);
    double* totals = dweight || dbias || (from_batch && dx) ? scratch[0] : nullptr;
    with_type(type, [&]<class T>(T) {
        Backward<T> backward{g,
                             static_cast<const T*>(dy),
                             static_cast<const T*>(x),
                             static_cast<const T*>(residual),
                             index,
                             affine,
                             slope};
        Results<T> results{from_batch ? nullptr : static_cast<T*>(dx), static_cast<T*>(dresidual),
                           Projection{affine.scale, nullptr, nullptr}};
        pass(backward, activation, pooling, threads, totals, results);
        const double rows = static_cast<double>(g.batch * g.in_pixels());
        for (int64_t c = 0; totals && c < channels; ++c) {
            const double gradient = totals[c];
            double product = totals[channels + c];  // Σ dz · x̂ = (Σ dz (x − mean) − rest Σ dz) / σ
            if (statistics) {
                const double rest = statistics[channels + c], rstd = statistics[2 * channels + c];
                product = (product - rest * gradient) * rstd;
                const double scale = affine.scale[c];
                taken[0][c] = static_cast<float>(-scale * rstd * product / rows);
                taken[0][channels + c] = static_cast<float>(scale * (rest * rstd * product - gradient) / rows);
            }
            if (dweight) dweight[c] = static_cast<float>(product);
            if (dbias) dbias[c] = static_cast<float>(gradient);
        }
        if (!from_batch || !dx) return;
        results.dx = static_cast<T*>(dx);
        results.projection.slope = taken[0], results.projection.offset = taken[0] + channels;
        if (results.dresidual) {  // dz was written there
            backward.dy = results.dresidual, backward.residual = nullptr, results.dresidual = nullptr;
            activation = static_cast<int>(Activation::identity), pooling = static_cast<int>(Pooling::none);
        }
        pass(backward, activation, pooling, threads, nullptr, results);
    });
}

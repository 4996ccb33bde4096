// The fused block, backward. The gradient of every input is gathered from the windows that read it, so that nothing is
// filled with zeros or written twice: one pass for the two sums per channel that the statistics need, one that writes.
#include "activation.h"
#include "block.h"
#include "isa.h"
#include "simd.h"
#include "threads.h"
#include "windows.h"

namespace {

// Per number of a row. dx = dz · scale + (x − mean) · slope + offset: what the batch's statistics take away is linear in x.
struct Constants {
    const float *mean, *scale, *shift, *slope, *offset;
};

// Sums per number of a row, in double; the floats in between hold at most 64 steps of one thread.
struct Sums {
    float *gradient, *product;  // Σ dz, Σ dz · (x − mean), padded
    double *gradients, *products;

    void flush(int64_t width) const {
        for (int64_t i = 0; i < width; ++i) {
            gradients[i] += gradient[i];
            products[i] += product[i];
            gradient[i] = product[i] = 0;
        }
    }
};
constexpr int64_t kBlock = 64;

// The first pass takes the sums, if wanted; where these enter dx, a second one writes it.
enum class Pass { first, second };

template <class T>
struct Backward {
    const T *dy, *x, *residual;  // x is null where no value depends on it
    const uint8_t* index;
    T *dx, *dresidual;  // null where not wanted; dresidual is dz
    float slope;
    int64_t channels;
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

// The channels from c on of what begins at `in`, whose gradient after the activation is given.
template <Activation A, Pass PASS, class T, class W>
inline void consume(const Backward<T>& b, const Constants& k, const Sums& sums, Floats dz, int64_t in, int64_t c, W width) {
    Floats centred{};
    if (b.x) centred = load(b.x + in + c, width) - load(k.mean + c, Whole{});
    if constexpr (A != Activation::identity) {
        Floats z = centred * load(k.scale + c, Whole{}) + load(k.shift + c, Whole{});
        if (b.residual) z += load(b.residual + in + c, width);
        dz = activate_backward<A>(dz, z, b.slope);
    }
    if (b.dresidual) store(b.dresidual + in + c, dz, width);
    if constexpr (PASS == Pass::second) {
        const Floats taken = centred * load(k.slope + c, Whole{}) + load(k.offset + c, Whole{});
        store(b.dx + in + c, dz * load(k.scale + c, Whole{}) + taken, width);
    } else {
        if (sums.gradient) {
            store(sums.gradient + c, load(sums.gradient + c, Whole{}) + dz, Whole{});
            store(sums.product + c, load(sums.product + c, Whole{}) + dz * centred, Whole{});
        }
        if (b.dx) store(b.dx + in + c, dz * load(k.scale + c, Whole{}), width);
    }
}

// A step is a row, or where there is pooling a pixel.
template <Activation A, Pooling P, Pass PASS, class T>
void run(const Backward<T> b, const Constants constants, const Rows rows, const Windows& readers, Share steps,
         const Sums sums) {
    const float share = 1.f / static_cast<float>(readers.volume);
    Walk walk(readers, P == Pooling::none ? 0 : steps.begin);
    const Tap* const taps = walk.taps();
    int64_t until_flush = kBlock;
    for (int64_t step = steps.begin; step < steps.end; ++step) {
        if constexpr (P == Pooling::none) {
            const int64_t in = step * rows.width;
            each_vector(rows.width_of(step), [&](int64_t c, auto width) {
                consume<A, PASS>(b, constants, sums, load(b.dy + in + c, width), in, c, width);
            });
        } else {
            const int64_t in = step * b.channels, count = walk.find();
            each_vector(b.channels, [&](int64_t c, auto width) {
                consume<A, PASS>(b, constants, sums, gather<P>(b, taps, count, share, c, width), in, c, width);
            });
            walk.next();
        }
        if (sums.gradient && (--until_flush == 0 || step + 1 == steps.end)) {
            sums.flush(P == Pooling::none ? rows.width : b.channels);
            until_flush = kBlock;
        }
    }
}

// The sums of every part.
class Totals {
  public:
    Totals(int64_t width, int parts) : stride_(padded(width)), floats_(2 * stride_, parts), doubles_(2 * stride_, parts) {}
    Sums of(int part) const {
        return {floats_[part], floats_[part] + stride_, doubles_[part], doubles_[part] + stride_};
    }

  private:
    int64_t stride_;
    Scratch<float> floats_;
    Scratch<double> doubles_;
};

template <Pass PASS, class T>
void pass(const Backward<T>& b, const Constants& constants, const Rows& rows, const Windows& readers, int activation,
          int pooling, int parts, const Totals* totals) {
    with_activation(activation, [&]<Activation A>() {
        with_pooling(pooling, [&]<Pooling P>() {
            parallel(parts, [&](int part) {
                const Share steps = P == Pooling::none ? rows.share_of(part, parts) : share(rows.pixels, part, parts);
                run<A, P, PASS>(b, constants, rows, readers, steps, totals ? totals->of(part) : Sums{});
            });
        });
    });
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
    const Rows rows(g.batch * g.in_pixels(), channels);
    const Windows readers(g, Side::input);
    const int parts = parts_for(rows.pixels * channels, threads);
    const Affine affine(rows, statistics, weight, bias);
    Scratch<float> taken(2 * padded(rows.width));
    float *const slopes = taken[0], *const offsets = slopes + padded(rows.width);
    const Constants constants{affine.mean, affine.scale, affine.shift, slopes, offsets};
    const Totals totals(rows.width, parts);
    const bool wants_sums = dweight || dbias || (from_batch && dx);
    with_type(type, [&]<class T>(T) {
        Backward<T> backward{static_cast<const T*>(dy), static_cast<const T*>(x), static_cast<const T*>(residual), index,
                             from_batch ? nullptr : static_cast<T*>(dx), static_cast<T*>(dresidual), slope, channels};
        if (from_batch && !dresidual && is_costly(static_cast<Activation>(activation)))
            backward.dresidual = static_cast<T*>(dx);  // dz, for the second pass
        pass<Pass::first>(backward, constants, rows, readers, activation, pooling, parts, wants_sums ? &totals : nullptr);
        const double pixels = static_cast<double>(rows.pixels);
        for (int64_t c = 0; wants_sums && c < channels; ++c) {
            double gradient = 0, product = 0;  // Σ dz, Σ dz · x̂ = (Σ dz (x − mean) − rest Σ dz) / σ
            for (int part = 0; part < parts; ++part)
                for (int64_t i = c; i < rows.width; i += channels) {
                    gradient += totals.of(part).gradients[i];
                    product += totals.of(part).products[i];
                }
            if (statistics) {
                const double rest = statistics[channels + c], rstd = statistics[2 * channels + c];
                product = (product - rest * gradient) * rstd;
                const double scale = affine.scale[c];
                for (int64_t i = c; i < rows.width; i += channels) {
                    slopes[i] = static_cast<float>(-scale * rstd * product / pixels);
                    offsets[i] = static_cast<float>(scale * (rest * rstd * product - gradient) / pixels);
                }
            }
            if (dweight) dweight[c] = static_cast<float>(product);
            if (dbias) dbias[c] = static_cast<float>(gradient);
        }
        if (!from_batch || !dx) return;
        backward.dx = static_cast<T*>(dx);
        if (backward.dresidual) {  // where dz was written
            backward.dy = backward.dresidual, backward.residual = nullptr, backward.dresidual = nullptr;
            activation = static_cast<int>(Activation::identity), pooling = static_cast<int>(Pooling::none);
        }
        pass<Pass::second>(backward, constants, rows, readers, activation, pooling, parts, nullptr);
    });
}

// What the two halves of the fused block share: normalise → add → activate → pool, on x (batch, 3 axes, channels).
#pragma once

#include <stdint.h>

#include "rows.h"
#include "scratch.h"
#include "simd.h"

namespace {

enum class Pooling { none, max, average };

// The arg-max byte of a window in which the activation is flat: nobody receives its gradient.
constexpr int32_t kNobody = 255;

// Calls body.operator()<P>().
template <class Body>
inline void with_pooling(int number, const Body& body) {
    switch (static_cast<Pooling>(number)) {
        case Pooling::none: return body.template operator()<Pooling::none>();
        case Pooling::max: return body.template operator()<Pooling::max>();
        case Pooling::average: return body.template operator()<Pooling::average>();
    }
}

// Rows of the (4, channels) tensor that a normalising block keeps: the mean as a float and what that leaves of it, so that
// x − mean is exact for means far from 0; 1/σ; and the unbiased variance, for the running one.
struct Statistics {
    float *mean, *rest, *rstd, *unbiased;
    Statistics(float* rows, int64_t channels)
        : mean(rows), rest(rows + channels), rstd(rows + 2 * channels), unbiased(rows + 3 * channels) {}

    void set(int64_t c, double exact_mean, double variance, double eps) {
        mean[c] = static_cast<float>(exact_mean);
        rest[c] = static_cast<float>(exact_mean - mean[c]);
        rstd[c] = static_cast<float>(1 / __builtin_sqrt(variance + eps));
    }
};

// Normalising is z = (x − mean) · scale + shift, for every number of a row, padded. Without statistics: z = x + bias.
class Affine {
  public:
    Affine(const Rows& rows, const float* statistics, const float* weight, const float* bias)
        : memory_(3 * padded(rows.width)) {
        const int64_t channels = rows.channels;
        float *m = memory_[0], *f = m + padded(rows.width), *s = f + padded(rows.width);
        mean = m, scale = f, shift = s;
        for (int64_t i = 0; i < rows.width; ++i) {
            const int64_t c = i % channels;
            double factor = weight ? weight[c] : 1, offset = bias ? bias[c] : 0, centre = 0;
            if (statistics) {
                centre = statistics[c];
                factor *= statistics[2 * channels + c];
                offset -= statistics[channels + c] * factor;
            }
            m[i] = static_cast<float>(centre);
            f[i] = static_cast<float>(factor);
            s[i] = static_cast<float>(offset);
        }
    }
    const float *mean, *scale, *shift;

  private:
    Scratch<float> memory_;
};

}  // namespace

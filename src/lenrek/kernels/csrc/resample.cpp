// Samples read along maps of their own: the kernel, for all types, numbers of axes and ways to interpolate.
#include "resample.h"

#include "isa.h"
#include "resample_pixels.h"
#include "threads.h"

namespace {

template <class T, int Taps, int Axes>
void rows(const Job<T>& job, int threads) {
    const Plan& plan = job.plan;
    const int64_t rows = plan.out[0] * plan.out[1], wide = plan.out[2];
    const int parts = parts_for(plan.batch * plan.channels * rows * wide, threads);
    if constexpr (sizeof(T) == 1 && Taps == 2 && Axes == 2)
        if (plan.channels == 3) {
            const PixelRows pixel_rows(plan, parts);
            parallel(parts, [&](int part) {
                const Share share_ = share(plan.batch * rows, part, parts);
                for (int64_t r = share_.begin; r < share_.end; ++r) {
                    if (r % rows == 0 || r == share_.begin) pixel_rows.begin(job, r / rows, part);
                    pixel_rows.read_row(job, r / rows, r % rows, part);
                }
            });
            return;
        }
    parallel(parts, [&](int part) {
        const Share share_ = share(plan.batch * rows, part, parts);
        for (int64_t r = share_.begin; r < share_.end; ++r)
            each_vector(wide, [&](int64_t w, auto width) {
                read<T, Taps, Axes>(job, r / rows, r % rows / plan.out[1], r % plan.out[1], w, width);
            });
    });
}

template <class T, int Taps>
void with_axes(const Job<T>& job, int axes, int threads) {
    if (axes == 1)
        rows<T, Taps, 1>(job, threads);
    else if (axes == 2)
        rows<T, Taps, 2>(job, threads);
    else
        rows<T, Taps, 3>(job, threads);
}

template <class T>
void with_taps(const Job<T>& job, int taps, int axes, int threads) {
    if (taps == 1)
        with_axes<T, 1>(job, axes, threads);
    else if (taps == 2)
        with_axes<T, 2>(job, axes, threads);
    else
        with_axes<T, 4>(job, axes, threads);
}

}  // namespace

// x (batch, channels, *in), y (batch, channels, *out), contiguous: bytes, or floats. taps: 1 nearest, 2 linear, 4 cubic.
LENREK_KERNEL(void, resample)(int bytes, int taps, int axes, const void* plan, const void* x, void* y,
                              const double* matrices, const float* displacements, float outside, int threads) {
    const Plan& p = *static_cast<const Plan*>(plan);
    if (bytes)
        with_taps<uint8_t>({p, static_cast<const uint8_t*>(x), static_cast<uint8_t*>(y), matrices, displacements, outside},
                           taps, axes, threads);
    else
        with_taps<float>({p, static_cast<const float*>(x), static_cast<float*>(y), matrices, displacements, outside},
                         taps, axes, threads);
}

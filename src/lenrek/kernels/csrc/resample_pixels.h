// Images of three channels, linear in both axes: laid out as pixels of four bytes first, so that two loads bring all that
// an output needs.
#pragma once

#include "resample.h"
#include "scratch.h"

namespace {

// Three channels as pixels of four bytes, the last of them 0.
void interleave(const uint8_t* x, int64_t size, uint32_t* pixels) {
    int64_t i = 0;
    for (; i + kLanes <= size; i += kLanes) {
        const Ints four = load(x + i, Whole{}) | load(x + size + i, Whole{}) << 8 | load(x + 2 * size + i, Whole{}) << 16;
        memcpy(pixels + i, &four, sizeof four);
    }
    for (; i < size; ++i) pixels[i] = x[i] | x[size + i] << 8 | static_cast<uint32_t>(x[2 * size + i]) << 16;
}

typedef uint64_t Pairs __attribute__((vector_size(8 * kLanes)));  // of pixels beside each other

inline uint64_t pair_at(const uint32_t* p) {
    uint64_t both;
    memcpy(&both, p, sizeof both);
    return both;
}
inline Words left_of(Pairs both) { return __builtin_convertvector(both, Words); }
inline Words right_of(Pairs both) { return __builtin_convertvector(both >> 32, Words); }
inline Floats channel(Words pixels, int number) {
    return to_floats(reinterpret_cast<Ints>(pixels >> (8 * number) & 255));
}

// Row by row: first where the whole row reads, then what. Addresses are in memory when they are needed then, and each load
// takes its own: that is faster than to gather.
class PixelRows {
  public:
    PixelRows(const Plan& plan, int parts)
        : pixels_(plan.in[1] * plan.in[2], parts),
          offset_(padded(plan.out[2]), parts),
          down_(padded(plan.out[2]), parts),
          right_(padded(plan.out[2]), parts),
          outside_(padded(plan.out[2]), parts) {}

    void begin(const Job<uint8_t>& job, int64_t sample, int part) const {
        const int64_t size = job.plan.in[1] * job.plan.in[2];
        interleave(job.x + sample * 3 * size, size, pixels_[part]);
    }

    void read_row(const Job<uint8_t>& job, int64_t sample, int64_t h, int part) const {
        const int64_t out = job.plan.out[2], count = job.plan.out[1] * out, wide = job.plan.in[2];
        const uint32_t* pixels = pixels_[part];
        int32_t* offset = offset_[part];
        float *down = down_[part], *right = right_[part];
        uint8_t* outside = outside_[part];
        each_vector(out, [&](int64_t w, auto width) {
            const Square square(job, sample, h, w, width);
            outside[w] = !square.inside;
            memcpy(offset + w, &square.offset, sizeof square.offset);
            memcpy(down + w, &square.down, sizeof square.down);
            memcpy(right + w, &square.right, sizeof square.right);
        });
        uint8_t* y = job.y + 3 * sample * count + h * out;
        each_vector(out, [&](int64_t w, auto width) {
            if (outside[w]) return read<uint8_t, 2, 2>(job, sample, 0, h, w, width);
            Pairs above, below;
            for (int i = 0; i < kLanes; ++i) {
                above[i] = pair_at(pixels + offset[w + i]);
                below[i] = pair_at(pixels + offset[w + i] + wide);
            }
            const Words corners[2][2] = {{left_of(above), right_of(above)}, {left_of(below), right_of(below)}};
            const Floats d = load(down + w, Whole{}), r = load(right + w, Whole{});
            for (int c = 0; c < 3; ++c) {  // what lies between bytes is within their range
                const Floats first = (1.0f - r) * channel(corners[0][0], c) + r * channel(corners[0][1], c);
                const Floats second = (1.0f - r) * channel(corners[1][0], c) + r * channel(corners[1][1], c);
                store(y + c * count + w, truncated((1.0f - d) * first + d * second + 0.5f), width);
            }
        });
    }

  private:
    Scratch<uint32_t> pixels_;
    Scratch<int32_t> offset_;
    Scratch<float> down_, right_;
    Scratch<uint8_t> outside_;  // of a vector's first output: whether any of them meets the boundary
};

}  // namespace

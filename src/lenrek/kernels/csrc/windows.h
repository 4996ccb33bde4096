// Where pooling windows lie: tensors are (batch, 3 axes, channels) in memory, with leading axes of size 1.
#pragma once

#include <stdint.h>

namespace {

// As Python passes it: 17 integers.
struct Geometry {
    int64_t batch, channels, in[3], out[3], kernel[3], stride[3], padding[3];

    int64_t in_pixels() const { return in[0] * in[1] * in[2]; }
    int64_t out_pixels() const { return out[0] * out[1] * out[2]; }
    int64_t volume() const { return kernel[0] * kernel[1] * kernel[2]; }
};

// Positions begin ≤ i < end on one axis.
struct Reach {
    int64_t begin, end;
};

// The inputs that output o reads.
inline Reach read_by_output(const Geometry& g, int axis, int64_t o) {
    const int64_t start = o * g.stride[axis] - g.padding[axis], end = start + g.kernel[axis];
    return {start > 0 ? start : 0, end < g.in[axis] ? end : g.in[axis]};
}

// The outputs that read input i.
inline Reach reading_input(const Geometry& g, int axis, int64_t i) {
    const int64_t last = i + g.padding[axis], late = last - g.kernel[axis], s = g.stride[axis];
    const int64_t end = last / s + 1;
    return {late < 0 ? 0 : late / s + 1, end < g.out[axis] ? end : g.out[axis]};
}

// Where input i lies in the window of output o, counted from the window's beginning.
inline int64_t place(const Geometry& g, int axis, int64_t o, int64_t i) { return i + g.padding[axis] - o * g.stride[axis]; }

// A pixel of batch × size by its number, and those that follow it.
struct Position {
    int64_t image, d, h, w;
    Position(const int64_t* size, int64_t pixel) {
        w = pixel % size[2], pixel /= size[2];
        h = pixel % size[1], pixel /= size[1];
        d = pixel % size[0], image = pixel / size[0];
    }
    void next(const int64_t* size) {
        if (++w < size[2]) return;
        w = 0;
        if (++h < size[1]) return;
        h = 0;
        if (++d < size[0]) return;
        d = 0, ++image;
    }
};

}  // namespace

// Where pooling windows lie: tensors are (batch, 3 axes, channels) in memory, with leading axes of size 1.
#pragma once

#include <stdint.h>

#include "scratch.h"
#include "threads.h"

namespace {

// As Python passes it: 17 integers.
struct Geometry {
    int64_t batch, channels, in[3], out[3], kernel[3], stride[3], padding[3];

    int64_t in_pixels() const { return in[0] * in[1] * in[2]; }
    int64_t out_pixels() const { return out[0] * out[1] * out[2]; }
    int64_t volume() const { return kernel[0] * kernel[1] * kernel[2]; }
};

// A pixel of batch × size by its number, and those that follow it.
struct Position {
    int64_t image, at[3];

    Position(const int64_t* size, int64_t pixel) {
        for (int axis = 2; axis >= 0; --axis) at[axis] = pixel % size[axis], pixel /= size[axis];
        image = pixel;
    }
    void next(const int64_t* size) {
        for (int axis = 2; axis >= 0; --axis) {
            if (++at[axis] < size[axis]) return;
            at[axis] = 0;
        }
        ++image;
    }
};

// A pixel on the other side of the pooling, and the place in the window that joins the two.
struct Tap {
    int64_t offset;
    int32_t place;
};

enum class Side { output, input };

// For every output, the inputs in its window; for every input, the outputs whose windows read it. Axis by axis.
class Windows {
  public:
    Windows(const Geometry& g, Side side)
        : size(side == Side::output ? g.out : g.in),
          other(side == Side::output ? g.in : g.out),
          kernel(g.kernel),
          channels(g.channels),
          volume(g.volume()),
          memory_(size[0] + size[1] + size[2]) {
        Line* line = memory_[0];
        for (int axis = 0; axis < 3; ++axis) {
            lines[axis] = line;
            step[axis] = side == Side::output ? 1 : -g.stride[axis];
            for (int64_t i = 0; i < size[axis]; ++i)
                *line++ = side == Side::output ? inputs_of(g, axis, i) : outputs_of(g, axis, i);
        }
    }

    // On one axis: the positions begin ≤ i < end, of which i has the place `place + i · step`.
    struct Line {
        int64_t begin, end, place;
    };

    const int64_t *size, *other, *kernel;
    int64_t channels, volume, step[3];
    const Line* lines[3];

  private:
    static Line inputs_of(const Geometry& g, int axis, int64_t output) {
        const int64_t start = output * g.stride[axis] - g.padding[axis], end = start + g.kernel[axis];
        return {start > 0 ? start : 0, end < g.in[axis] ? end : g.in[axis], -start};
    }

    static Line outputs_of(const Geometry& g, int axis, int64_t input) {
        const int64_t k = g.kernel[axis], s = g.stride[axis], last = input + g.padding[axis], end = last / s + 1;
        return {last < k ? 0 : (last - k) / s + 1, end < g.out[axis] ? end : g.out[axis], last};
    }

    Scratch<Line> memory_;
};

// Pixels in order, each with its taps; what neighbours in a row share is computed once.
class Walk {
  public:
    Walk(const Windows& windows, int64_t pixel)
        : windows_(windows), position_(windows.size, pixel), rows_(windows.volume), taps_(windows.volume) {
        start_row();
    }

    // The taps of this pixel, in row-major order, and how many there are.
    const Tap* taps() const { return taps_[0]; }
    int64_t find() {
        const Windows::Line w = windows_.lines[2][position_.at[2]];
        Tap* tap = taps_[0];
        for (int64_t r = 0; r < row_count_; ++r) {
            const Tap row = rows_[0][r];
            for (int64_t k = w.begin; k < w.end; ++k) {
                __asm__("" : "+r"(k));  // one to three turns: vectors would only cost
                *tap++ = {row.offset + k * windows_.channels, static_cast<int32_t>(row.place + w.place + k * windows_.step[2])};
            }
        }
        return tap - taps_[0];
    }

    void next() {
        position_.next(windows_.size);
        if (position_.at[2] == 0) start_row();
    }

  private:
    void start_row() {
        const Windows::Line d = windows_.lines[0][position_.at[0]], h = windows_.lines[1][position_.at[1]];
        const int64_t *other = windows_.other, *kernel = windows_.kernel, *step = windows_.step;
        row_count_ = 0;
        for (int64_t i = d.begin; i < d.end; ++i)
            for (int64_t j = h.begin; j < h.end; ++j) {
                const int64_t row = ((position_.image * other[0] + i) * other[1] + j) * other[2];
                const int64_t place = (d.place + i * step[0]) * kernel[1] + h.place + j * step[1];
                rows_[0][row_count_++] = {row * windows_.channels, static_cast<int32_t>(place * kernel[2])};
            }
    }

    const Windows& windows_;
    Position position_;
    Scratch<Tap> rows_, taps_;
    int64_t row_count_;
};

}  // namespace

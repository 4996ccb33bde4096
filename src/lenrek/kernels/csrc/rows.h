// Tensors (pixels, channels) where no pixel meets another: as rows, each passed over from its first number to its last.
// Memory is read in one stream, which is what it is fast at; what belongs to the channels comes from the nearest cache.
#pragma once

#include "simd.h"
#include "threads.h"

namespace {

// A row is one pixel; of few channels it is several, so that vectors are full, and no sum waits for its last addition.
// What there is per channel is then needed per number of a row: number i is of channel i % channels.
struct Rows {
    int64_t pixels, channels, width;
    int64_t count, rest;  // rows of that width, and numbers in one more

    Rows(int64_t pixels, int64_t channels) : pixels(pixels), channels(channels), width(channels) {
        while (width < 64) width *= 2;
        count = pixels * channels / width;
        rest = pixels * channels % width;
    }
    Share share_of(int part, int parts) const { return share(count + (rest > 0), part, parts); }
    int64_t width_of(int64_t row) const { return row < count ? width : rest; }
};

}  // namespace

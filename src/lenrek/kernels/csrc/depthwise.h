// What the three maps of a depthwise convolution share. Tensors are (batch, 3 axes, channels) or (batch, channels, 3 axes)
// in memory, with leading axes of size 1; weights are (channels, 3 axes).
//
// A thread copies the rows of pixels that it is about to read, of some vectors of channels, into a ring of rows: floats,
// one vector per pixel, zeros outside the tensor. From there every product is one load and one multiply-add, whatever
// the type, the borders, the stride and the dilation.
#pragma once

#include <stdint.h>

#include "scratch.h"
#include "simd.h"
#include "threads.h"

namespace {

// As Python passes it: 20 integers. `padding` is what lies before each axis; `out` implies what lies behind.
struct Convolution {
    int64_t batch, channels, in[3], out[3], kernel[3], stride[3], dilation[3], padding[3];

    int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
    int64_t groups() const { return (channels + kLanes - 1) / kLanes; }  // vectors of channels
};

struct Range {
    int64_t begin, end;
    int64_t size() const { return end > begin ? end - begin : 0; }
};

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t larger(int64_t a, int64_t b) { return a < b ? b : a; }
// a / b, rounded up for a ≥ 0, and down for any a.
inline int64_t ceiling(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t floored(int64_t a, int64_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

// How the results of one axis are made of the samples of the other tensor. Forward, result r reads sample r · stride +
// k · dilation − padding; in the adjoint it reads the sample s for which r = s · stride + k · dilation − padding.
struct Axis {
    int64_t results, samples, kernel, stride, dilation, padding;
    bool adjoint;

    Axis(const Convolution& c, int a, bool is_adjoint)
        : results(is_adjoint ? c.in[a] : c.out[a]),
          samples(is_adjoint ? c.out[a] : c.in[a]),
          kernel(c.kernel[a]),
          stride(c.stride[a]),
          dilation(c.dilation[a]),
          padding(c.padding[a]),
          adjoint(is_adjoint) {}

    int64_t phases() const { return adjoint ? stride : 1; }  // results r and r + phases() use the same taps
    int64_t step() const { return adjoint ? 1 : stride; }    // between the samples that these two read

    // Whether tap k takes part in result r. All do forward, one in stride (or none) in the adjoint.
    bool takes(int64_t r, int64_t k) const { return !adjoint || (r + padding - k * dilation) % stride == 0; }
    int64_t sample(int64_t r, int64_t k) const {
        return adjoint ? floored(r + padding - k * dilation, stride) : r * stride + k * dilation - padding;
    }
    // From the first sample that some result of `r` reads to the last, be they inside the tensor or not.
    Range reads(Range r) const {
        return adjoint ? Range{sample(r.begin, kernel - 1), sample(r.end - 1, 0) + 1}
                       : Range{sample(r.begin, 0), sample(r.end - 1, kernel - 1) + 1};
    }
};

// The rows of pixels that are being read, as floats: (groups, planes, rows, pixels, lanes), a plane for each of the
// kernel's, and in it as many rows as one block of results reads; the row after the last takes the place of the first.
// Along w, pixels that are `interleave` apart are neighbours: neighbouring results read neighbours also with a stride.
struct Ring {
    int64_t planes, rows, interleave;
    Range w;         // pixels
    int64_t first;   // row that came first
    int64_t filled;  // rows before this one are there, or were
    float* data;

    int64_t per_phase() const { return ceiling(w.size(), interleave); }
    int64_t row() const { return per_phase() * interleave * kLanes; }
    int64_t plane() const { return rows * row(); }
    int64_t group() const { return planes * plane(); }
    int64_t at(int64_t h) const { return (h - first) % rows * row(); }
    int64_t column(int64_t sample) const {
        const int64_t i = sample - w.begin;
        return (i % interleave * per_phase() + i / interleave) * kLanes;
    }
};

// A tensor in memory: distances between its images, channels and pixels.
template <class T>
struct Tensor {
    T* data;
    int64_t image, channel, pixel;

    Tensor(T* data, int64_t channels, const int64_t* size, int channels_first)
        : data(data),
          image(channels * size[0] * size[1] * size[2]),
          channel(channels_first ? size[0] * size[1] * size[2] : 1),
          pixel(channels_first ? 1 : channels) {}
};

// The first `count` lanes.
template <class T>
inline Floats load_some(const T* from, int count) {
    return count == kLanes ? load(from, Whole{}) : load(from, Part{count});
}
template <class T>
inline void store_some(T* to, Floats v, int count) {
    if (count == kLanes)
        store(to, v, Whole{});
    else
        store(to, v, Part{count});
}

// Lanes 0 … kLanes − 1 as a list.
template <int...>
struct Lanes {};
template <int N, int... K>
struct FirstLanes : FirstLanes<N - 1, N - 1, K...> {};
template <int... K>
struct FirstLanes<0, K...> {
    typedef Lanes<K...> List;
};

// Exchanges the lanes of a that have bit S with those of b that have not.
template <int S, int... K>
inline void exchange(Floats& a, Floats& b, Lanes<K...>) {
    const Floats low = __builtin_shufflevector(a, b, (K & S ? kLanes + K - S : K)...);
    b = __builtin_shufflevector(a, b, (K & S ? kLanes + K : K + S)...);
    a = low;
}

// square[i][k] becomes square[k][i].
template <int S = kLanes / 2>
inline void transpose(Floats* square) {
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i)
        if (!(i & S)) exchange<S>(square[i], square[i + S], FirstLanes<kLanes>::List{});
    if constexpr (S > 1) transpose<S / 2>(square);
}

// Pixels `inside` of a phase lie in the tensor, the first of them at `from`; the others are zeros.
template <class T, class W>
inline void copy_pixels(const T* from, int64_t step, int64_t ahead, Range inside, int64_t pixels, float* to, W lanes) {
    for (int64_t i = 0; i < inside.begin; ++i) store(to + i * kLanes, Floats{}, Whole{});
    for (int64_t i = inside.begin; i < inside.end; ++i, from += step) {
        __builtin_prefetch(from + ahead, 0, 2);  // the next row: too far apart for the processor to foresee
        store(to + i * kLanes, load(from, lanes), Whole{});
    }
    for (int64_t i = inside.end; i < pixels; ++i) store(to + i * kLanes, Floats{}, Whole{});
}

// The same for all phases, from a tensor whose pixels are neighbours: kLanes of them at a time, of kLanes channels.
template <class T>
void turn_pixels(const T* line, int64_t width, int64_t channel, Range w, int64_t interleave, float* to, int lanes) {
    const int64_t pixels = ceiling(w.size(), interleave);
    const Range inside{line ? larger(w.begin, 0) : w.end, smaller(w.end, width)};
    int64_t phase = 0, place = 0;
    const auto put = [&](Floats v) {
        store(to + (phase * pixels + place) * kLanes, v, Whole{});
        if (++phase == interleave) phase = 0, ++place;
    };
    for (int64_t i = w.begin; i < smaller(inside.begin, w.end); ++i) put(Floats{});
    for (int64_t i = inside.begin; i < inside.end; i += kLanes) {
        const int count = static_cast<int>(smaller(kLanes, inside.end - i));
        Floats square[kLanes];
        for (int c = 0; c < kLanes; ++c) square[c] = c < lanes ? load_some(line + c * channel + i, count) : Floats{};
        transpose(square);
        for (int k = 0; k < count; ++k) put(square[k]);
    }
    while (place < pixels) put(Floats{});
}

// Copies pixels `w` of one row of a tensor that begins at `line` (null outside it), `groups` vectors of its channels;
// `group` floats lie between them, and `left` channels are left in the tensor.
template <class T>
void copy_row(const Tensor<const T>& t, const T* line, int64_t width, int64_t left, int64_t groups, Range w,
              int64_t interleave, float* to, int64_t group) {
    if (t.pixel == 1) {
        for (int64_t g = 0; g < groups; ++g) {
            const T* from = line ? line + g * kLanes * t.channel : nullptr;
            const int lanes = static_cast<int>(smaller(kLanes, left - g * kLanes));
            turn_pixels(from, width, t.channel, w, interleave, to + g * group, lanes);
        }
        return;
    }
    const int64_t pixels = ceiling(w.size(), interleave), step = interleave * t.pixel, ahead = width * t.pixel;
    for (int64_t phase = 0; phase < interleave; ++phase, to += pixels * kLanes) {
        const int64_t start = w.begin + phase;
        Range inside{pixels, pixels};
        if (line && start < width) {
            inside.begin = smaller(pixels, start < 0 ? ceiling(-start, interleave) : 0);
            inside.end = larger(inside.begin, smaller(pixels, (width - 1 - start) / interleave + 1));
        }
        const T* from = line + (start + inside.begin * interleave) * t.pixel;
        for (int64_t g = 0; g < groups; ++g, from += kLanes) {
            if (left - g * kLanes >= kLanes)
                copy_pixels(from, step, ahead, inside, pixels, to + g * group, Whole{});
            else
                copy_pixels(from, step, ahead, inside, pixels, to + g * group, Part{static_cast<int>(left - g * kLanes)});
        }
    }
}

// Rows of samples that `block` neighbouring rows of results read.
inline int64_t rows_read(const Axis& axis, int64_t block) {
    const int64_t extent = (axis.kernel - 1) * axis.dilation;
    return axis.adjoint ? (extent + block - 1) / axis.stride + 2 : (block - 1) * axis.stride + extent + 1;
}

// Floats of one row of a ring that serves `width` results.
inline int64_t ring_row(const Axis& axis, int64_t width) { return (rows_read(axis, width) + axis.step()) * kLanes; }

// A division of the results into pieces of work: part of some rows of one plane of one image, for some vectors of channels.
struct Pieces {
    int64_t rows, width, groups;             // of a piece
    int64_t ring_rows;
    int64_t count[3], images, group_count;   // planes, bands of rows, parts of a row

    int64_t total() const { return images * count[0] * count[1] * count[2] * group_count; }
    int64_t ring(const Convolution& c, const Axis* axes) const {  // floats
        return c.kernel[0] * ring_rows * ring_row(axes[2], width) * groups;
    }
};

constexpr int64_t kNear = 16 * 1024;  // floats close by: what one piece reads again and again
constexpr int64_t kFar = 128 * 1024;  // floats in the next cache

inline Pieces divide(const Convolution& c, const Axis* axes, int64_t block, int threads) {
    Pieces p;
    p.ring_rows = rows_read(axes[1], block);
    const int64_t ring_rows = p.ring_rows * axes[0].kernel;
    p.width = axes[2].results;
    while (p.width > 32 && ring_rows * ring_row(axes[2], p.width) > kNear) p.width = ceiling(p.width, 2);
    p.groups = larger(1, smaller(c.groups(), kNear / (ring_rows * ring_row(axes[2], p.width))));
    p.group_count = ceiling(c.groups(), p.groups);
    // What one piece has read of the other channels in the same lines of memory shall be in the cache for the next.
    p.rows = larger(smaller(2 * p.ring_rows, axes[1].results), smaller(axes[1].results, kFar / (p.width * c.channels)));
    p.images = c.batch;
    p.count[0] = axes[0].results, p.count[2] = ceiling(axes[2].results, p.width);
    for (p.count[1] = ceiling(axes[1].results, p.rows); p.total() < 4 * threads && p.rows > 2 * p.ring_rows;) {
        p.rows = ceiling(p.rows, 2);
        p.count[1] = ceiling(axes[1].results, p.rows);
    }
    return p;
}

struct Piece {
    int64_t group, groups, image, plane;
    Range rows, w;

    Piece(const Convolution& c, const Axis* axes, const Pieces& p, int64_t number) {
        group = number % p.group_count * p.groups, number /= p.group_count;
        groups = smaller(p.groups, c.groups() - group);
        w = part(number % p.count[2], p.width, axes[2].results), number /= p.count[2];
        rows = part(number % p.count[1], p.rows, axes[1].results), number /= p.count[1];
        plane = number % p.count[0], image = number / p.count[0];
    }

  private:
    static Range part(int64_t i, int64_t size, int64_t end) { return {i * size, smaller((i + 1) * size, end)}; }
};

// Readies the ring for a piece, then row by row.
template <class T>
struct Reader {
    const Convolution& c;
    const Axis* axes;
    Tensor<const T> samples;
    Ring ring{};
    const T* first = nullptr;  // sample of the image and channels
    Piece const* piece = nullptr;

    void start(const Piece& p) {
        piece = &p;
        first = samples.data + p.image * samples.image + p.group * kLanes * samples.channel;
        ring.w = axes[2].reads(p.w);
        ring.first = ring.filled = axes[1].reads(p.rows).begin;
    }

    // Copies what the rows of results up to `end` read and earlier ones did not.
    void advance(int64_t begin, int64_t end) {
        const Range r = axes[1].reads({begin, end});
        for (int64_t h = larger(r.begin, ring.filled); h < r.end; ++h)
            for (int64_t k = 0; k < ring.planes; ++k) {
                const int64_t d = axes[0].sample(piece->plane, k);
                if (!axes[0].takes(piece->plane, k) || d < 0 || d >= axes[0].samples) continue;
                const bool inside = h >= 0 && h < axes[1].samples;
                const int64_t row = (d * axes[1].samples + h) * axes[2].samples;
                copy_row(samples, inside ? first + row * samples.pixel : nullptr, axes[2].samples,
                         c.channels - piece->group * kLanes, piece->groups, ring.w, ring.interleave,
                         ring.data + k * ring.plane() + ring.at(h), ring.group());
            }
        ring.filled = larger(r.end, ring.filled);
    }
};

}  // namespace

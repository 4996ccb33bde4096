// Depthwise convolution, forward, and the gradient of its input: the same sums with other taps.
#include "depthwise.h"

#include "isa.h"

namespace {

// Where a tap finds its sample, counted from that of the first one, and its weight: in floats. `place` is the sample's
// index on the axis, for the first result.
struct Tap {
    int64_t sample, weight, place;
};

// Results first, first + step, … of one row; all use the same taps, `block` of them are computed at a time.
struct Line {
    int64_t first, step, count, block;
    const Tap *taps, *end;
};

// (groups, taps, lanes) in float; whether all are finite.
template <class T>
bool pack(const Convolution& c, const T* weight, float* packed) {
    Ints strange{};
    const int64_t taps = c.taps();
    for (int64_t channel = 0; channel < c.channels; ++channel)
        for (int64_t k = 0; k < taps; ++k) {
            const Floats v = load(weight + channel * taps + k, Part{1});
            strange |= v - v != all(0.f);
            packed[(channel / kLanes * taps + k) * kLanes + channel % kLanes] = v[0];
        }
    return !strange[0];
}

// All that one thread needs for one piece after another.
template <class T>
struct Map {
    const Convolution& c;
    const Axis* axes;
    const float *weight, *bias;  // packed; bias may be null
    bool finite;                 // the weights are, so that zeros may stand outside
    Tensor<T> results;
    float* row;  // of results, (pixels, lanes), where they are yet to be turned

    Reader<T> reader;
    Tap *columns, *rows;  // kernel[2] and kernel[0] · kernel[1]
    Line* lines;          // one per phase
    int64_t line_count = 0;

    void run(const Piece& piece) {
        reader.start(piece);
        lay_out(piece.w);
        for (int64_t h = piece.rows.begin; h < piece.rows.end; ++h) {
            reader.advance(h, h + 1);
            const Tap* end = rows_of(piece.plane, h);
            const int64_t number = (piece.plane * axes[1].results + h) * axes[2].results + piece.w.begin;
            T* to = results.data + piece.image * results.image + number * results.pixel;
            for (int64_t g = 0; g < piece.groups; ++g)
                write(piece.w, end, piece.group + g, g * reader.ring.group(),
                      to + (piece.group + g) * kLanes * results.channel);
        }
    }

  private:
    // The lines of a row's results and their taps.
    void lay_out(Range w) {
        const Axis& axis = axes[2];
        Tap* tap = columns;
        line_count = smaller(axis.phases(), w.size());
        for (int64_t phase = 0; phase < line_count; ++phase) {
            const int64_t first = w.begin + phase;
            const int64_t count = ceiling(w.end - first, axis.phases());
            Line& line = lines[phase] = {first, axis.phases(), count, ceiling(count, ceiling(count, kBlock)), tap, tap};
            for (int64_t k = 0; k < axis.kernel; ++k)
                if (axis.takes(first, k)) {
                    const int64_t place = axis.sample(first, k);
                    *tap++ = {reader.ring.column(place), k * kLanes, place};
                }
            line.end = tap;
        }
    }

    // The kernel's rows that fall on rows of the tensor.
    const Tap* rows_of(int64_t d, int64_t h) {
        const Ring& ring = reader.ring;
        Tap* tap = rows;
        for (int64_t i = 0; i < axes[0].kernel; ++i) {
            const int64_t at = axes[0].sample(d, i);
            if (!axes[0].takes(d, i) || at < 0 || at >= axes[0].samples) continue;
            for (int64_t j = 0; j < axes[1].kernel; ++j) {
                const int64_t on = axes[1].sample(h, j);
                if (!axes[1].takes(h, j) || on < 0 || on >= axes[1].samples) continue;
                *tap++ = {i * ring.plane() + ring.at(on), (i * axes[1].kernel + j) * axes[2].kernel * kLanes, 0};
            }
        }
        return tap;
    }

    struct Sums {
        const float *ring, *weight;
        const Tap *rows, *row_end, *taps, *end;
    };

    // Results `w` of one row and one vector of channels.
    void write(Range w, const Tap* row_end, int64_t group, int64_t offset, T* to) {
        const int lanes = static_cast<int>(smaller(kLanes, c.channels - group * kLanes));
        for (int64_t l = 0; l < line_count; ++l) {
            const Line& line = lines[l];
            const float* first_weight = weight + group * c.taps() * kLanes;
            const Sums sums{reader.ring.data + offset, first_weight, rows, row_end, line.taps, line.end};
            const float* start = bias ? bias + group * kLanes : nullptr;
            const int64_t first = line.first - w.begin;
            if (results.pixel == 1)
                compute_line(line, sums, row + first * kLanes, kLanes, start, kLanes);
            else
                compute_line(line, sums, to + first * results.pixel, results.pixel, start, lanes);
        }
        for (int64_t i = 0; results.pixel == 1 && i < w.size(); i += kLanes) {
            const int count = static_cast<int>(smaller(kLanes, w.size() - i));
            Floats square[kLanes];
            for (int k = 0; k < kLanes; ++k) square[k] = k < count ? load(row + (i + k) * kLanes, Whole{}) : Floats{};
            transpose(square);
            for (int channel = 0; channel < lanes; ++channel)
                store_some(to + channel * results.channel + i, square[channel], count);
        }
    }

    // `pixel` lies between results.
    template <class U>
    void compute_line(const Line& line, const Sums& sums, U* to, int64_t pixel, const float* start, int lanes) {
        const int64_t step = line.step * pixel;
        for (int64_t j = 0; j < line.count; j += line.block, to += line.block * step) {
            const int64_t n = smaller(line.block, line.count - j);
            if (finite)
                with_width(n, [&]<int N>() { block<N>(sums, j, to, step, start, lanes); });
            else
                for (int64_t i = 0; i < n; ++i) careful(sums, j + i, to + i * step, start, lanes);
        }
    }

    static constexpr int kBlock = kLanes == 16 ? 16 : 12;  // results at a time, each with a register

    template <class Body>
    static void with_width(int64_t n, const Body& body) {
        switch (n) {
            case 1: return body.template operator()<1>();
            case 2: return body.template operator()<2>();
            case 3: return body.template operator()<3>();
            case 4: return body.template operator()<4>();
            case 5: return body.template operator()<5>();
            case 6: return body.template operator()<6>();
            case 7: return body.template operator()<7>();
            case 8: return body.template operator()<8>();
            case 9: return body.template operator()<9>();
            case 10: return body.template operator()<10>();
            case 11: return body.template operator()<11>();
            case 12: return body.template operator()<12>();
        }
        if constexpr (kBlock > 12) switch (n) {
                case 13: return body.template operator()<13>();
                case 14: return body.template operator()<14>();
                case 15: return body.template operator()<15>();
                case 16: return body.template operator()<16>();
            }
    }

    // N neighbouring results of a line, from the j-th on.
    template <int N, class U>
    static void block(const Sums& s, int64_t j, U* to, int64_t step, const float* bias, int lanes) {
        const Floats start = bias ? load(bias, Whole{}) : Floats{};
        Floats sum[N];
#pragma GCC unroll 16
        for (int i = 0; i < N; ++i) sum[i] = start;
        for (const Tap* row = s.rows; row != s.row_end; ++row) {
            const float* x = s.ring + row->sample + j * kLanes;
            const float* w = s.weight + row->weight;
            for (const Tap* tap = s.taps; tap != s.end; ++tap) {
                const float* at = x + tap->sample;
                const Floats factor = load(w + tap->weight, Whole{});
#pragma GCC unroll 16
                for (int i = 0; i < N; ++i) sum[i] += load(at + i * kLanes, Whole{}) * factor;
            }
        }
#pragma GCC unroll 16
        for (int i = 0; i < N; ++i) store_some(to + i * step, sum[i], lanes);
    }

    // One result, leaving out the samples outside: infinity times the zero there would be NaN.
    template <class U>
    void careful(const Sums& s, int64_t j, U* to, const float* bias, int lanes) const {
        Floats sum = bias ? load(bias, Whole{}) : Floats{};
        for (const Tap* row = s.rows; row != s.row_end; ++row)
            for (const Tap* tap = s.taps; tap != s.end; ++tap) {
                const int64_t place = tap->place + j * axes[2].step();
                if (place < 0 || place >= axes[2].samples) continue;
                sum += load(s.ring + row->sample + tap->sample + j * kLanes, Whole{}) *
                       load(s.weight + row->weight + tap->weight, Whole{});
            }
        store_some(to, sum, lanes);
    }
};

template <class T>
void compute(const Convolution& c, bool adjoint, int channels_first, const T* samples, const T* weight, const T* bias,
             T* results, int threads) {
    const Axis axes[3] = {{c, 0, adjoint}, {c, 1, adjoint}, {c, 2, adjoint}};
    const Tensor<const T> from(samples, c.channels, adjoint ? c.out : c.in, channels_first);
    const Tensor<T> to(results, c.channels, adjoint ? c.in : c.out, channels_first);
    Scratch<float> packed(c.groups() * c.taps() * kLanes), offsets(c.groups() * kLanes);
    const bool finite = pack(c, weight, packed[0]);
    for (int64_t i = 0; bias && i < c.channels; ++i) offsets[0][i] = load(bias + i, Part{1})[0];
    const Pieces pieces = divide(c, axes, 1, threads);
    const int64_t pixels = c.batch * axes[0].results * axes[1].results * axes[2].results;
    const int64_t work = pixels * c.channels * (1 + c.taps() / 4);
    const int parts = static_cast<int>(smaller(pieces.total(), parts_for(work, threads)));
    parallel(parts, [&](int part) {
        Scratch<float> ring(pieces.ring(c, axes)), row(channels_first ? pieces.width * kLanes : 0);
        Scratch<Tap> taps(c.kernel[2] + c.kernel[0] * c.kernel[1]);
        Scratch<Line> lines(axes[2].phases());
        Reader<T> reader{c, axes, from, Ring{c.kernel[0], pieces.ring_rows, axes[2].step(), {}, 0, 0, ring[0]}};
        Map<T> map{c,      axes,   packed[0], bias ? offsets[0] : nullptr, finite,  to,
                   row[0], reader, taps[0],   taps[0] + c.kernel[2],       lines[0]};
        const Share mine = share(pieces.total(), part, parts);
        for (int64_t i = mine.begin; i < mine.end; ++i) map.run(Piece(c, axes, pieces, i));
    });
}

}  // namespace

// y = bias + Σ weight · x; bias may be null.
LENREK_KERNEL(void, depthwise_forward)
(int type, int channels_first, const Convolution* c, const void* x, const void* weight, const void* bias, void* y,
 int threads) {
    with_type(type, [&]<class T>(T) {
        compute(*c, false, channels_first, static_cast<const T*>(x), static_cast<const T*>(weight),
                static_cast<const T*>(bias), static_cast<T*>(y), threads);
    });
}

// dx = Σ weight · dy over the outputs that read each input.
LENREK_KERNEL(void, depthwise_input_gradient)
(int type, int channels_first, const Convolution* c, const void* dy, const void* weight, void* dx, int threads) {
    with_type(type, [&]<class T>(T) {
        compute(*c, true, channels_first, static_cast<const T*>(dy), static_cast<const T*>(weight),
                static_cast<const T*>(nullptr), static_cast<T*>(dx), threads);
    });
}

// The gradient of a depthwise convolution's weights: dw[k] = Σ dy[o] · x[o · stride + k · dilation − padding], over
// batch and outputs; and of its bias, Σ dy.
#include "depthwise.h"
#include "isa.h"

namespace {

// Taps whose sums stay in registers; they lie in one row of the kernel, unless the kernel's planes have so few taps that
// one chunk takes a whole plane.
struct Chunk {
    int64_t first, count, plane, row, plane_taps;  // first: in its plane
    bool whole_plane;

    int64_t tap() const { return plane * plane_taps + first; }
};

constexpr int kMost = kLanes == 16 ? 9 : 6;         // taps of a chunk
constexpr int kRegisters = kLanes == 16 ? 16 : 10;  // for sums
constexpr int64_t kOutputs = 2 * 1024;              // floats of dy at a time, about

inline int64_t chunks_of(const Convolution& c, Chunk* chunks) {
    const int64_t plane = c.kernel[1] * c.kernel[2];
    const bool whole = plane <= kMost;
    const int64_t run = whole ? plane : c.kernel[2], pieces = ceiling(run, kMost);
    int64_t count = 0;
    for (int64_t first = 0; first < c.taps(); first += run)
        for (int64_t i = 0; i < pieces; ++i) {
            const int64_t begin = run * i / pieces, end = run * (i + 1) / pieces;
            const int64_t in_plane = first % plane;
            chunks[count++] = {in_plane + begin, end - begin, first / plane, in_plane / c.kernel[2], plane, whole};
        }
    return count;
}

template <class T>
struct WeightGradient {
    const Convolution& c;
    const Axis* axes;
    Tensor<const T> dy;
    const Chunk *chunks, *chunk_end;
    const int64_t* tap_rows;  // the row of every tap of a kernel's plane
    int64_t block;            // rows of outputs at a time
    double* totals;           // (groups, taps + 1, lanes): behind the taps, the bias
    Reader<T> reader;
    float* outputs;    // (groups, block, pixels, lanes)
    int64_t* columns;  // for every tap of a kernel's plane, where the first output of a row finds its sample
    int64_t* rows;     // (block, kernel rows): the rows of the ring that each row of outputs reads
    int64_t width = 0;

    void run(const Piece& p) {
        reader.start(p);
        width = p.w.size();
        for (int64_t k = 0; k < c.kernel[1] * c.kernel[2]; ++k)
            columns[k] = reader.ring.column(axes[2].sample(p.w.begin, k % c.kernel[2]));
        for (int64_t h = p.rows.begin; h < p.rows.end; h += block) {
            const Range band{h, smaller(h + block, p.rows.end)};
            reader.advance(band.begin, band.end);
            copy_outputs(p, band);
            for (int64_t i = 0; i < band.size() * c.kernel[1]; ++i)
                rows[i] = reader.ring.at(axes[1].sample(h + i / c.kernel[1], i % c.kernel[1]));
            for (int64_t g = 0; g < p.groups; ++g) {
                double* total = totals + (p.group + g) * (c.taps() + 1) * kLanes;
                const float* ring = reader.ring.data + g * reader.ring.group();
                const Place at{outputs + g * block * width * kLanes, ring, band, rows};
                const bool finite = add_bias(at, total + c.taps() * kLanes);
                for (const Chunk* chunk = chunks; chunk != chunk_end; ++chunk)
                    if (is_inside(0, p.plane, chunk->plane)) {
                        if (finite)
                            add(*chunk, at, total);
                        else
                            add_carefully(*chunk, at, p.w.begin, total);
                    }
            }
        }
    }

  private:
    struct Place {
        const float *outputs, *ring;
        Range rows;
        const int64_t* ring_rows;  // of its first row
    };

    void copy_outputs(const Piece& p, Range band) {
        for (int64_t h = band.begin; h < band.end; ++h) {
            const int64_t row = (p.plane * c.out[1] + h) * c.out[2];
            const T* line = dy.data + p.image * dy.image + p.group * kLanes * dy.channel + row * dy.pixel;
            copy_row(dy, line, c.out[2], c.channels - p.group * kLanes, p.groups, p.w, 1,
                     outputs + (h - band.begin) * width * kLanes, block * width * kLanes);
        }
    }
    bool is_inside(int axis, int64_t result, int64_t k) const {
        const int64_t at = axes[axis].sample(result, k);
        return at >= 0 && at < axes[axis].samples;
    }

    void add(const Chunk& chunk, Place at, double* total) {
        while (!chunk.whole_plane && at.rows.size() && !is_inside(1, at.rows.begin, chunk.row))
            ++at.rows.begin, at.outputs += width * kLanes, at.ring_rows += c.kernel[1];
        while (!chunk.whole_plane && at.rows.size() && !is_inside(1, at.rows.end - 1, chunk.row)) --at.rows.end;
        if (!at.rows.size()) return;
        switch (chunk.count) {
            case 1: return sum<1>(chunk, at, total);
            case 2: return sum<2>(chunk, at, total);
            case 3: return sum<3>(chunk, at, total);
            case 4: return sum<4>(chunk, at, total);
            case 5: return sum<5>(chunk, at, total);
            case 6: return sum<6>(chunk, at, total);
        }
        if constexpr (kMost > 6) switch (chunk.count) {
                case 7: return sum<7>(chunk, at, total);
                case 8: return sum<8>(chunk, at, total);
                case 9: return sum<9>(chunk, at, total);
            }
    }

    // N taps; U neighbouring outputs at a time, each with sums of its own, so that no sum waits for the one before.
    template <int N>
    void sum(const Chunk& chunk, const Place& at, double* total) const {
        constexpr int U = N >= kRegisters ? 1 : kRegisters / N > 4 ? 4 : kRegisters / N;
        Floats sums[U][N];
#pragma GCC unroll 16
        for (int u = 0; u < U; ++u)
#pragma GCC unroll 16
            for (int i = 0; i < N; ++i) sums[u][i] = Floats{};
        const float *to = at.outputs, *plane = at.ring + chunk.plane * reader.ring.plane();
        const int64_t *row = at.ring_rows, *column = columns + chunk.first;
        for (int64_t h = at.rows.begin; h < at.rows.end; ++h, to += width * kLanes, row += c.kernel[1]) {
            const float* x[N];
#pragma GCC unroll 16
            for (int i = 0; i < N; ++i) x[i] = plane + row[tap_rows[chunk.first + i]] + column[i];
            int64_t j = 0;
            for (; j + U <= width; j += U)
#pragma GCC unroll 16
                for (int u = 0; u < U; ++u) {
                    const Floats v = load(to + (j + u) * kLanes, Whole{});
#pragma GCC unroll 16
                    for (int i = 0; i < N; ++i) sums[u][i] += v * load(x[i] + (j + u) * kLanes, Whole{});
                }
            for (; j < width; ++j) {
                const Floats v = load(to + j * kLanes, Whole{});
#pragma GCC unroll 16
                for (int i = 0; i < N; ++i) sums[0][i] += v * load(x[i] + j * kLanes, Whole{});
            }
        }
#pragma GCC unroll 16
        for (int i = 0; i < N; ++i) {
            Floats s = sums[0][i];
#pragma GCC unroll 16
            for (int u = 1; u < U; ++u) s += sums[u][i];
            add_to(total + (chunk.tap() + i) * kLanes, s);
        }
    }

    // Leaving out the samples outside: a gradient that is infinite times the zero there would be NaN.
    void add_carefully(const Chunk& chunk, const Place& at, int64_t first, double* total) const {
        for (int64_t k = chunk.first; k < chunk.first + chunk.count; ++k) {
            Floats sum{};
            const float *to = at.outputs, *plane = at.ring + chunk.plane * reader.ring.plane();
            const int64_t* row = at.ring_rows;
            for (int64_t h = at.rows.begin; h < at.rows.end; ++h, to += width * kLanes, row += c.kernel[1])
                for (int64_t j = 0; j < width; ++j)
                    if (is_inside(1, h, tap_rows[k]) && is_inside(2, first + j, k % c.kernel[2]))
                        sum += load(to + j * kLanes, Whole{}) *
                               load(plane + row[tap_rows[k]] + columns[k] + j * kLanes, Whole{});
            add_to(total + (chunk.tap() + k - chunk.first) * kLanes, sum);
        }
    }

    // Whether all outputs are finite.
    bool add_bias(const Place& at, double* total) const {
        Floats sum{};
        for (int64_t j = 0; j < at.rows.size() * width; ++j) sum += load(at.outputs + j * kLanes, Whole{});
        add_to(total, sum);
        bool finite = true;
        for (int i = 0; i < kLanes; ++i) finite = finite && sum[i] - sum[i] == 0;
        return finite;
    }

    static void add_to(double* total, Floats sum) {
        for (int i = 0; i < kLanes; ++i) total[i] += sum[i];
    }
};

template <class T>
void weight_gradient(const Convolution& c, const Tensor<const T>& x, const Tensor<const T>& dy, T* dweight, T* dbias,
                     int threads) {
    const Axis axes[3] = {{c, 0, false}, {c, 1, false}, {c, 2, false}};
    const int64_t block = larger(1, smaller(c.out[1], kOutputs / (c.out[2] * kLanes)));
    const Pieces pieces = divide(c, axes, block, threads);
    const int64_t taps = c.taps(), per_group = (taps + 1) * kLanes, plane = c.kernel[1] * c.kernel[2];
    const int64_t work = c.batch * c.out[0] * c.out[1] * c.out[2] * c.channels * (1 + taps / 4);
    const int parts = static_cast<int>(smaller(pieces.total(), parts_for(work, threads)));
    Scratch<Chunk> chunks(taps);
    const Chunk* chunk_end = chunks[0] + chunks_of(c, chunks[0]);
    Scratch<double> totals(c.groups() * per_group, parts);
    Scratch<int64_t> tap_rows(plane);
    for (int64_t k = 0; k < plane; ++k) tap_rows[0][k] = k / c.kernel[2];
    parallel(parts, [&](int part) {
        Scratch<float> ring(pieces.ring(c, axes)), outputs(block * pieces.width * kLanes * pieces.groups);
        Scratch<int64_t> columns(plane), rows(block * c.kernel[1]);
        Reader<T> reader{c, axes, x, Ring{c.kernel[0], pieces.ring_rows, axes[2].step(), {}, 0, 0, ring[0]}};
        WeightGradient<T> gradient{c,     axes,         dy,     chunks[0],  chunk_end,  tap_rows[0],
                                   block, totals[part], reader, outputs[0], columns[0], rows[0]};
        const Share mine = share(pieces.total(), part, parts);
        for (int64_t i = mine.begin; i < mine.end; ++i) gradient.run(Piece(c, axes, pieces, i));
    });
    for (int64_t channel = 0; channel < c.channels; ++channel)
        for (int64_t k = 0; k <= taps; ++k) {
            double sum = 0;
            for (int part = 0; part < parts; ++part)
                sum += totals[part][channel / kLanes * per_group + k * kLanes + channel % kLanes];
            T* to = k < taps ? dweight + channel * taps + k : dbias ? dbias + channel : nullptr;
            if (to) store(to, all(static_cast<float>(sum)), Part{1});
        }
}

}  // namespace

// dweight (channels, kernel) and dbias (channels), which may be null, in the type of x.
LENREK_KERNEL(void, depthwise_weight_gradient)
(int type, int x_channels_first, int dy_channels_first, const Convolution* c, const void* x, const void* dy,
 void* dweight, void* dbias, int threads) {
    with_type(type, [&]<class T>(T) {
        const Tensor<const T> samples(static_cast<const T*>(x), c->channels, c->in, x_channels_first);
        const Tensor<const T> gradient(static_cast<const T*>(dy), c->channels, c->out, dy_channels_first);
        weight_gradient(*c, samples, gradient, static_cast<T*>(dweight), static_cast<T*>(dbias), threads);
    });
}

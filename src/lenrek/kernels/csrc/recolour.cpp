// Bytes looked up in a table per sample and channel, colours brought nearer to grey and turned, all in one passage.
#include "isa.h"
#include "simd.h"
#include "threads.h"

namespace {

constexpr int64_t kBlock = 1024;  // pixels: of three channels they fit the nearest cache

inline Floats bytes_at(const uint8_t* p) { return __builtin_convertvector(load(p, Whole{}), Floats); }
inline Floats within(Floats v) { return least(255.0f, greatest(0.0f, v)); }
inline Floats larger(Floats a, Floats b) { return a > b ? a : b; }
inline Floats smaller(Floats a, Floats b) { return a < b ? a : b; }
inline void put(uint8_t* p, Floats v) { store(p, __builtin_convertvector(within(v) + 0.5f, Ints), Whole{}); }

// Which of the six sides of the colour hexagon channel number 5, 3 or 1 is on, as its share of the range of values.
inline Floats share_at(Floats hue, float number) {
    Floats k = hue + number;
    k = k < 6.0f ? k : k - 6.0f;
    k = k < 6.0f ? k : k - 6.0f;
    return greatest(0.0f, least(1.0f, smaller(k, 4.0f - k)));
}

// saturation: 0 grey, 1 as it is. hue: in turns of the colour circle, 0 … 1.
inline void recolour(uint8_t* red, uint8_t* green, uint8_t* blue, float saturation, float hue) {
    Floats r = bytes_at(red), g = bytes_at(green), b = bytes_at(blue);
    if (saturation != 1.0f) {  // luma of ITU-R BT.601, as JPEG has it
        const Floats grey = 0.299f * r + 0.587f * g + 0.114f * b;
        r = within(grey + saturation * (r - grey));
        g = within(grey + saturation * (g - grey));
        b = within(grey + saturation * (b - grey));
    }
    if (hue != 0.0f) {  // hue, saturation and value of Smith 1978, doi:10.1145/800248.807361
        const Floats value = larger(r, larger(g, b)), range = value - smaller(r, smaller(g, b));
        const Floats per = 1.0f / (range > 0.0f ? range : all(1.0f));
        Floats angle = value == r ? (g - b) * per : value == g ? 2.0f + (b - r) * per : 4.0f + (r - g) * per;
        angle = angle + 6.0f * hue;
        angle = angle < 0.0f ? angle + 6.0f : angle;
        angle = angle < 6.0f ? angle : angle - 6.0f;
        r = value - range * share_at(angle, 5.0f);
        g = value - range * share_at(angle, 3.0f);
        b = value - range * share_at(angle, 1.0f);
    }
    put(red, r);
    put(green, g);
    put(blue, b);
}

}  // namespace

// x (batch, channels, pixels) in place. tables (batch, channels, 256) or null; colours (batch, 2), saturation and hue of
// three channels, or null.
LENREK_KERNEL(void, recolour)(uint8_t* x, int64_t batch, int64_t channels, int64_t pixels, const uint8_t* tables,
                              const float* colours, int threads) {
    const int64_t blocks = (pixels + kBlock - 1) / kBlock;
    const int parts = parts_for(batch * channels * pixels, threads);
    parallel(parts, [&](int part) {
        const Share share_ = share(batch * blocks, part, parts);
        for (int64_t i = share_.begin; i < share_.end; ++i) {
            const int64_t sample = i / blocks, begin = i % blocks * kBlock;
            const int64_t end = begin + kBlock < pixels ? begin + kBlock : pixels;
            uint8_t* start = x + sample * channels * pixels;
            if (tables)
                for (int64_t c = 0; c < channels; ++c) {
                    const uint8_t* table = tables + (sample * channels + c) * 256;
                    uint8_t* p = start + c * pixels;
                    for (int64_t k = begin; k < end; ++k) p[k] = table[p[k]];
                }
            if (!colours) continue;
            const float saturation = colours[2 * sample], hue = colours[2 * sample + 1];
            if (saturation == 1.0f && hue == 0.0f) continue;
            int64_t k = begin;
            for (; k + kLanes <= end; k += kLanes)
                recolour(start + k, start + pixels + k, start + 2 * pixels + k, saturation, hue);
            if (k < end) {  // the last pixels in whole vectors, beside the image
                uint8_t beside[3][kLanes] = {};
                for (int c = 0; c < 3; ++c) memcpy(beside[c], start + c * pixels + k, end - k);
                recolour(beside[0], beside[1], beside[2], saturation, hue);
                for (int c = 0; c < 3; ++c) memcpy(start + c * pixels + k, beside[c], end - k);
            }
        }
    });
}

// sums (batch,) of x (batch, count).
LENREK_KERNEL(void, sum_bytes)(const uint8_t* x, int64_t batch, int64_t count, int64_t* sums, int threads) {
    const int parts = parts_for(batch * count, threads);
    parallel(parts, [&](int part) {
        const Share share_ = share(batch, part, parts);
        for (int64_t i = share_.begin; i < share_.end; ++i) {
            const uint8_t* p = x + i * count;
            int64_t total = 0;
            for (int64_t begin = 0; begin < count; begin += 1 << 20) {  // a sum of 2^20 bytes fits 32 bits
                const int64_t end = begin + (1 << 20) < count ? begin + (1 << 20) : count;
                uint32_t sum = 0;
                for (int64_t k = begin; k < end; ++k) sum += p[k];
                total += sum;
            }
            sums[i] = total;
        }
    });
}

// Bytes looked up in a table per sample and channel, colours brought nearer to grey and turned, all in one passage.
#include "isa.h"
#include "simd.h"
#include "threads.h"

namespace {

constexpr int64_t kBlock = 1024;  // pixels: of three channels they fit the nearest cache

inline Floats bytes_at(const uint8_t* p) { return __builtin_convertvector(load(p, Whole{}), Floats); }
inline Floats within(Floats v, Floats most) { return least(most, greatest(0.0f, v)); }
inline Floats distance(Floats a, Floats b) { return greatest(a - b, b - a); }
inline void put(uint8_t* p, Floats v) { store(p, __builtin_convertvector(v + 0.5f, Ints), Whole{}); }

// How many bytes were looked up 64 at a time, where the processor picks them out of registers.
#if defined(__AVX512F__)
__attribute__((target("avx512vbmi"))) int64_t picked(uint8_t* p, int64_t count, const uint8_t* table) {
    const __m512i first = _mm512_loadu_si512(table), second = _mm512_loadu_si512(table + 64),
                  third = _mm512_loadu_si512(table + 128), fourth = _mm512_loadu_si512(table + 192);
    int64_t k = 0;
    for (; k + 64 <= count; k += 64) {
        const __m512i bytes = _mm512_loadu_si512(p + k);
        const __m512i lower = _mm512_permutex2var_epi8(first, bytes, second);
        const __m512i upper = _mm512_permutex2var_epi8(third, bytes, fourth);
        _mm512_storeu_si512(p + k, _mm512_mask_blend_epi8(_mm512_movepi8_mask(bytes), lower, upper));
    }
    return k;
}
int64_t looked_up(uint8_t* p, int64_t count, const uint8_t* table) {
    return __builtin_cpu_supports("avx512vbmi") ? picked(p, count, table) : 0;
}
#else
int64_t looked_up(uint8_t*, int64_t, const uint8_t*) { return 0; }
#endif

// saturation: 0 grey, 1 as it is. hue: in turns of the colour circle, 0 … 1.
inline void recolour(uint8_t* red, uint8_t* green, uint8_t* blue, float saturation, float hue) {
    Floats r = bytes_at(red), g = bytes_at(green), b = bytes_at(blue);
    if (saturation != 1.0f) {  // luma of ITU-R BT.601, as JPEG has it
        const Floats grey = 0.299f * r + 0.587f * g + 0.114f * b;
        const Floats most = all(255.0f);
        r = within(grey + saturation * (r - grey), most);
        g = within(grey + saturation * (g - grey), most);
        b = within(grey + saturation * (b - grey), most);
    }
    if (hue != 0.0f) {  // hue, saturation and value of Smith 1978, doi:10.1145/800248.807361
        const Floats value = greatest(r, greatest(g, b)), range = value - least(r, least(g, b));
        const Floats turn = 6.0f * range;  // angles are in units of the range: nothing is divided by it
        Floats angle = value == r ? g - b : value == g ? 2.0f * range + (b - r) : 4.0f * range + (r - g);
        angle += hue * turn;
        angle = angle < 0.0f ? angle + turn : angle;
        angle = angle < turn ? angle : angle - turn;
        r = value - within(2.0f * range - distance(angle, 3.0f * range), range);  // red is at 0, green at 2, blue at 4
        g = value - within(distance(angle, 2.0f * range) - range, range);
        b = value - within(distance(angle, 4.0f * range) - range, range);
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
                    for (int64_t k = begin + looked_up(p + begin, end - begin, table); k < end; ++k) p[k] = table[p[k]];
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

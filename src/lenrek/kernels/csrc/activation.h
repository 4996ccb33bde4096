// Activations of a vector of floats, and the gradient through them. Outside the finite numbers they do as PyTorch does.
#pragma once

#include "simd.h"

namespace {

// In the order of block.py's ACTIVATIONS.
enum class Activation { identity, relu, leaky_relu, relu6, gelu, silu, hardswish };

// max(f(a), f(b)) = f(max(a, b)), so that a window is activated once; their gradient is the incoming one or none.
constexpr bool is_clip(Activation a) {
    return a == Activation::identity || a == Activation::relu || a == Activation::relu6;
}

inline Floats clip(Floats v, float low, float high) { return least(high, greatest(low, v)); }

// 2^n · p(r) with x = n · ln 2 + r, |r| ≤ ln 2 / 2; p by least maximum error (Cephes, expf): within 2 ulp. Infinite where
// n is 128, 0 where it is −127. What takes time is that steps wait for each other: hence the polynomial in pairs.
inline Floats exponential(Floats x) {
    constexpr float kRound = 12582912.f;  // 1.5 · 2²³: adding it drops the fraction, and leaves n in the lowest bits
    const Floats bounded = clip(x, -88.f, 89.f);
    const Floats rounded = bounded * 1.44269504f + kRound, n = rounded - kRound;
    const Floats power = reinterpret_cast<Floats>((reinterpret_cast<Ints>(rounded) + 127) << 23);
    const Floats r = bounded - n * 0.693359375f + n * 2.12194440e-4f, r2 = r * r;
    const Floats high = 1.9875691500e-4f * r + 1.3981999507e-3f, middle = 8.3334519073e-3f * r + 4.1665795894e-2f;
    const Floats low = 1.6666665459e-1f * r + 5.0000001201e-1f;
    return (((high * r2 + middle) * r2 + low) * r2 + (r + 1.f)) * power;
}

// Worth writing the gradient through it down, rather than computing it in both passes of a backward.
constexpr bool is_costly(Activation a) { return a == Activation::gelu || a == Activation::silu; }

// The normal distribution function Φ(z) and density φ(z); erf within 1.5e-7 (Abramowitz & Stegun 1964, 7.1.26).
struct Normal {
    Floats below, density;
    explicit Normal(Floats z) {
        const Floats magnitude = reinterpret_cast<Floats>(reinterpret_cast<Ints>(z) & 0x7fffffff);
        const Floats e = exponential(z * z * -0.5f);
        const Floats t = 1.f / (1.f + magnitude * (0.3275911f * 0.70710678f));
        Floats p = all(0.5307027145f);  // half of theirs
        p = p * t - 0.7265760135f;
        p = p * t + 0.7107068705f;
        p = p * t - 0.142248368f;
        p = p * t + 0.127414796f;
        const Floats tail = p * t * e;  // 1 − Φ(|z|)
        below = z < 0.f ? tail : 1.f - tail;
        density = e * 0.39894228f;
    }
};

template <Activation A>
inline Floats activate(Floats z, [[maybe_unused]] float slope) {
    if constexpr (A == Activation::relu) return greatest(0.f, z);
    if constexpr (A == Activation::leaky_relu) return z > 0.f ? z : z * slope;
    if constexpr (A == Activation::relu6) return clip(z, 0.f, 6.f);
    if constexpr (A == Activation::gelu) return z * Normal(z).below;
    if constexpr (A == Activation::silu) return z / (1.f + exponential(-z));
    if constexpr (A == Activation::hardswish) return z * clip(z * (1 / 6.f) + 0.5f, 0.f, 1.f);
    return z;
}

// Where a clipped activation is flat, and lets no gradient through.
template <Activation A>
inline Ints is_flat(Floats z) {
    if constexpr (A == Activation::relu) return z <= 0.f;
    if constexpr (A == Activation::relu6) return ~((z > 0.f) & (z < 6.f));
    return Ints{};
}

// gradient · f'(z)
template <Activation A>
inline Floats activate_backward(Floats gradient, Floats z, [[maybe_unused]] float slope) {
    if constexpr (is_clip(A)) return is_flat<A>(z) ? Floats{} : gradient;
    if constexpr (A == Activation::leaky_relu) return z > 0.f ? gradient : gradient * slope;
    if constexpr (A == Activation::gelu) {
        const Normal normal(z);
        return gradient * (normal.below + z * normal.density);
    }
    if constexpr (A == Activation::silu) {
        const Floats sigmoid = 1.f / (1.f + exponential(-z));
        return gradient * (sigmoid * (1.f + z * (1.f - sigmoid)));
    }
    if constexpr (A == Activation::hardswish) {
        const Floats middle = gradient * (z * (1 / 3.f) + 0.5f);
        return z <= -3.f ? Floats{} : z >= 3.f ? gradient : middle;
    }
    return gradient;
}

// Calls body.operator()<A>() for the activation of that number.
template <class Body>
inline void with_activation(int number, const Body& body) {
    switch (static_cast<Activation>(number)) {
        case Activation::identity: return body.template operator()<Activation::identity>();
        case Activation::relu: return body.template operator()<Activation::relu>();
        case Activation::leaky_relu: return body.template operator()<Activation::leaky_relu>();
        case Activation::relu6: return body.template operator()<Activation::relu6>();
        case Activation::gelu: return body.template operator()<Activation::gelu>();
        case Activation::silu: return body.template operator()<Activation::silu>();
        case Activation::hardswish: return body.template operator()<Activation::hardswish>();
    }
}

}  // namespace

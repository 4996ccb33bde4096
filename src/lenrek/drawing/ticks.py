"""Where the marks of an axis go: round numbers, few of them."""

from __future__ import annotations

import math


def linear_ticks(low: float, high: float, at_most: int = 6) -> list[float]:
    """Round numbers, equally spaced by 1, 2 or 5 times a power of ten, that enclose low to high.

    >>> linear_ticks(0.12, 2.31), linear_ticks(0.914, 0.987), linear_ticks(3.0, 3.0)
    ([0.0, 0.5, 1.0, 1.5, 2.0, 2.5], [0.9, 0.92, 0.94, 0.96, 0.98, 1.0], [2.0, 2.5, 3.0, 3.5, 4.0])
    """
    if high == low:
        spread = 10.0 ** math.floor(math.log10(abs(low))) if low else 1.0
        low, high = low - spread, high + spread
    exponent = math.floor(math.log10((high - low) / at_most))
    for step in (factor * 10.0 ** (exponent + decade) for decade in (0, 1, 2) for factor in (1, 2, 5)):
        # a hair inside, so that rounding does not add a step beyond a limit that is a tick itself
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first < at_most:
            break
    return [round(index * step, 12 - exponent) for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten that enclose low to high, with 2 and 5 times them inside when there is room.

    >>> log_ticks(0.03, 2.3)
    [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0]
    >>> log_ticks(0.00002, 30)
    [1e-05, 0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0]
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 3 else (1,)
    # a decade to spare at both ends: the logarithm of a number just below a power of ten rounds up to it
    candidates = [float(f"{factor}e{decade}") for decade in range(first - 1, last + 2) for factor in factors]
    below = max(tick for tick in candidates if tick <= low)
    above = min(tick for tick in candidates if tick >= high)
    return [tick for tick in candidates if below <= tick <= above]


def integer_ticks(first: int, last: int, at_most: int = 10) -> list[int]:
    """The first number, then multiples of 1, 2, 5, 10, 20 … as far as the last.

    >>> integer_ticks(1, 4), integer_ticks(1, 30), integer_ticks(7, 7)
    ([1, 2, 3, 4], [1, 5, 10, 15, 20, 25, 30], [7])
    """
    step = next(
        factor * 10**decade
        for decade in range(12)
        for factor in (1, 2, 5)
        if last // (factor * 10**decade) - first // (factor * 10**decade) < at_most
    )
    multiples = range((first // step + 1) * step, last + 1, step)
    return [first, *(tick for tick in multiples if tick - first >= step / 2)]

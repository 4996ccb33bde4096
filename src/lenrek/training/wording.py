"""Numbers as people read them: the same in the report, on the terminal and in sentences."""

from __future__ import annotations


def percent(share: float, num_samples: int = 0) -> str:
    """A share as a percentage, with two decimals only where so many samples stand behind it that they mean something.

    >>> percent(0.98765), percent(0.98765, num_samples=10_000)
    ('98.8 %', '98.77 %')
    """
    return f"{100 * share:.{2 if num_samples >= 10_000 else 1}f} %"


def duration(time_s: float) -> str:
    """A time in the two largest units that matter.

    >>> duration(0.04), duration(5.25), duration(59.6), duration(83), duration(7384)
    ('40 ms', '5.2 s', '1 min 00 s', '1 min 23 s', '2 h 03 min')
    """
    if time_s < 0.9995:
        return f"{1000 * time_s:.0f} ms"
    if time_s < 9.95:
        return f"{time_s:.1f} s"
    seconds = round(time_s)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    minutes = round(time_s / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"

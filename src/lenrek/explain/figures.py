"""Large numbers as people read them: three digits and a unit."""

from __future__ import annotations

_UNITS = ("", "k", "M", "G", "T", "P", "E")
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def compact(number: float) -> str:
    """In powers of a thousand.

    >>> compact(0), compact(999), compact(25_557_032), compact(3_906_250_000), compact(999_999)
    ('0', '999', '25.6 M', '3.91 G', '1.00 M')
    """
    return _scaled(number, 1000, _UNITS)


def in_bytes(number: float) -> str:
    """In powers of 1024.

    >>> in_bytes(512), in_bytes(1536), in_bytes(102_228_128)
    ('512 B', '1.50 KiB', '97.5 MiB')
    """
    return _scaled(number, 1024, _BYTES)


def percent(share: float) -> str:
    """A share, to a tenth of a per cent.

    >>> percent(0.5863), percent(1), percent(0.00001), percent(0)
    ('58.6 %', '100.0 %', '< 0.1 %', '0.0 %')
    """
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def _scaled(number: float, base: int, units: tuple[str, ...]) -> str:
    place = 0
    while number >= 999.5 and place < len(units) - 1:
        number, place = number / base, place + 1
    digits = 0 if number >= 99.95 or not place else 1 if number >= 9.995 else 2
    return f"{number:,.{digits}f} {units[place]}".strip()

"""The colours of every role, for light and dark grounds: blue is read, orange is the kernel, green is written."""

from __future__ import annotations

from typing import Literal, NamedTuple

Theme = Literal["auto", "light", "dark"]


class Look(NamedTuple):
    """Fill and outline of a role, as #rrggbb or none; `dash` as in SVG."""

    fill: str = "none"
    stroke: str = "none"
    width: float = 1.0
    dash: str = ""


class _Palette(NamedTuple):
    ground: str
    ink: str
    soft: str
    hair: str
    blue: str
    orange: str
    green: str
    red: str


_LIGHT = _Palette("#ffffff", "#1c2127", "#5d6772", "#cfd4d9", "#2367ad", "#c25a12", "#1f7a53", "#b8332a")
_DARK = _Palette("#14171a", "#e8ebee", "#9aa4af", "#434b54", "#79b4ee", "#f3a25f", "#6bcf9f", "#f0857b")


def mixed(colour: str, ground: str, share: float) -> str:
    """`share` of a colour over a ground.

    >>> mixed("#ff0000", "#ffffff", 0.2)
    '#ffcccc'
    """
    pairs = ((int(colour[i : i + 2], 16), int(ground[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(over * share + under * (1 - share)):02x}" for over, under in pairs)


def _looks(p: _Palette, dark: bool) -> dict[str, Look]:
    wash = 0.20 if dark else 0.09
    return {
        "ground": Look(p.ground),
        "input": Look(mixed(p.blue, p.ground, wash), mixed(p.blue, p.ground, 0.55)),
        "padding": Look(mixed(p.soft, p.ground, 0.06), p.hair, 1.0, "3 3"),
        "gap": Look(p.ground, p.hair),
        "nothing": Look("none", p.hair, 1.0, "1 4"),
        "kernel": Look(mixed(p.orange, p.ground, wash + 0.05), mixed(p.orange, p.ground, 0.7)),
        "output": Look(mixed(p.green, p.ground, wash), mixed(p.green, p.ground, 0.55)),
        "empty": Look(p.ground, mixed(p.green, p.ground, 0.4)),
        "more": Look(p.blue),
        "less": Look(p.red),
        "window": Look(mixed(p.orange, p.ground, 0.36 if dark else 0.26), mixed(p.orange, p.ground, 0.75)),
        "chosen": Look(p.orange, p.orange),
        "frame": Look("none", p.orange, 2.5),
        "current": Look(p.green, p.green, 2.5),
        "current-frame": Look("none", p.green, 3.0),
        "beam": Look(mixed(p.orange, p.ground, 0.10), "none"),
        "beam-line": Look("none", mixed(p.orange, p.ground, 0.6), 1.25),
        "input-frame": Look("none", mixed(p.blue, p.ground, 0.8), 1.25),
        "output-frame": Look("none", mixed(p.green, p.ground, 0.8), 1.25),
        "volume": Look(mixed(p.blue, p.ground, wash + 0.06), p.blue, 1.25),
        "volume-top": Look(mixed(p.blue, p.ground, wash), p.blue, 1.25),
        "volume-side": Look(mixed(p.blue, p.ground, wash + 0.16), p.blue, 1.25),
        "arrow": Look(p.soft, p.soft, 1.25),
        "ink": Look(p.ink),
        "soft": Look(p.soft),
        "faint": Look(mixed(p.soft, p.ground, 0.7)),
        "blue": Look(p.blue),
        "orange": Look(p.orange),
        "green": Look(p.green),
        "on-strong": Look(p.ground),
    }


ROLES: dict[str, dict[str, Look]] = {"light": _looks(_LIGHT, False), "dark": _looks(_DARK, True)}


def looks_of(theme: Theme) -> dict[str, Look]:
    """Of a picture in one theme; "auto" begins light."""
    return ROLES["dark" if theme == "dark" else "light"]

"""Markup written piece by piece; everything that is not markup already is escaped."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape


def element(tag: str, *children: str, **attributes: str | float | None) -> Markup:
    """One element. Underscores in attribute names become hyphens, a trailing one is dropped, None is left out.

    >>> print(element("text", "a < b", class_="label", text_anchor="end", x=12.3456, id=None))
    <text class="label" text-anchor="end" x="12.35">a &lt; b</text>
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{number(value) if isinstance(value, int | float) else escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{tag}{written}>{''.join(escape(child) for child in children)}</{tag}>")


def drawing(
    width: float, height: float, description: str, children: Iterable[Markup], /, **attributes: str | float
) -> Markup:
    """A picture that fills the width it is given, where `attributes` say no other; `description` is what a screen
    reader says.
    """
    view_box = f"0 0 {number(width)} {number(height)}"
    return element("svg", *children, viewBox=view_box, role="img", aria_label=description, **attributes)


def path(points: Iterable[tuple[float, float]], closed: bool = False) -> str:
    """The `d` of a line through the points.

    >>> path([(0, 1), (2.5, 3)])
    'M0 1L2.5 3'
    """
    line = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return f"M{line}{'Z' if closed else ''}" if line else ""


def number(value: float) -> str:
    """At most two decimals: a hundredth of a pixel is enough."""
    return f"{value:.2f}".rstrip("0").rstrip(".")  # never without a point, so zeros of 100 stay

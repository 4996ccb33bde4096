"""A scene as SVG: of one step, or of all of them for a clock or a reader to go through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from markupsafe import Markup

from lenrek.drawing.scene.colours import ROLES, Look, Theme, looks_of
from lenrek.drawing.scene.shapes import LAYERS, Box, Line, Scene, Shape, Words
from lenrek.drawing.svg import element, number, path

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
TEXT_RULE = f".lenrek-drawing text{{font-family:{FONT};font-variant-numeric:tabular-nums}}\n"
DOWN = 0.355  # of the letters' size: from their middle to the line they stand on


def as_svg(scene: Scene, theme: Theme = "auto") -> str:
    """A file of its own; "auto" follows the reader's preference for light or dark."""
    layers = [element("g", *map(_shape, getattr(scene, name))) for name in LAYERS]
    return str(_whole(scene, style(theme), layers)) + "\n"


def as_animated_svg(scene: Scene, seconds_per_step: float, theme: Theme = "auto") -> str:
    """All steps, one after the other and again; a reader who wants no motion sees the last one."""
    cycle = seconds_per_step * scene.steps
    rules, names = [], {}
    spans = {(s.steps.start, s.steps.stop) for name in LAYERS for s in getattr(scene, name) if s.steps is not None}
    for place, (start, stop) in enumerate(sorted(spans)):
        names[start, stop] = f"s{place}"
        rules.append(_keyframes(f"s{place}", start, min(stop, scene.steps), scene.steps))
    rules.append(f".step{{animation:{number(cycle)}s step-end infinite}}")
    rules.append("@media(prefers-reduced-motion:reduce){.step{animation:none}}")

    def moving(steps: range, drawn: Sequence[Markup]) -> Markup:
        still = None if scene.steps - 1 in steps else "hidden"  # without animation the last step stays
        shown = f"animation-name:{names[steps.start, steps.stop]}"
        return element("g", *drawn, class_="step", visibility=still, style=shown)

    return str(_whole(scene, style(theme) + "".join(rules), _layers(scene, moving))) + "\n"


def as_stepped_svg(scene: Scene) -> Markup:
    """All steps inside a page that shows one at a time: those of `data-from` ≤ step < `data-to`."""

    def hidden(steps: range, drawn: Sequence[Markup]) -> Markup:
        off = None if 0 in steps else "none"
        return element("g", *drawn, data_from=steps.start, data_to=steps.stop, display=off)

    return _whole(scene, "", _layers(scene, hidden))


def style(theme: Theme) -> str:
    """The rules of every role, all within the picture's own class."""
    rules = f"\n{TEXT_RULE}{_rules(looks_of(theme))}"
    if theme == "auto":
        rules += "@media(prefers-color-scheme:dark){" + _rules(ROLES["dark"]) + "}\n"
    return rules


def page_style() -> str:
    """The rules for a page that is dark where its root has data-theme="dark", or where the reader prefers it."""
    dark = [_rules(ROLES["dark"], f":root{which} ") for which in (':not([data-theme="light"])', '[data-theme="dark"]')]
    return f"{TEXT_RULE}{_rules(ROLES['light'])}@media(prefers-color-scheme:dark){{{dark[0]}}}\n{dark[1]}"


def _rules(looks: dict[str, Look], within: str = "") -> str:
    return "".join(f"{within}.lenrek-drawing .{role}{{{_css(look)}}}\n" for role, look in looks.items())


def _css(look: Look) -> str:
    rule = f"fill:{look.fill}"
    if look.stroke != "none":
        rule += f";stroke:{look.stroke};stroke-width:{number(look.width)}"
        if look.dash:
            rule += f";stroke-dasharray:{look.dash}"
    return rule


def _keyframes(name: str, start: int, stop: int, steps: int) -> str:
    """Visible from one step to before another, hidden else."""
    stops = {0.0: "hidden" if start else "visible"}
    stops[100 * start / steps] = "visible"
    if stop < steps:
        stops[100 * stop / steps] = "hidden"
    inside = "".join(f"{at:.4f}".rstrip("0").rstrip(".") + f"%{{visibility:{value}}}" for at, value in stops.items())
    return f"@keyframes {name}{{{inside}}}\n"


def _whole(scene: Scene, rules: str, layers: Sequence[Markup]) -> Markup:
    ground = element("rect", class_="ground", width=scene.width, height=scene.height, rx=8)
    parts = [element("style", Markup(rules))] if rules else []
    return element(
        "svg",
        *parts,
        ground,
        *layers,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(scene.width)} {number(scene.height)}",
        width=scene.width,
        height=scene.height,
        role="img",
        aria_label=scene.description,
        class_="lenrek-drawing",
    )


def _layers(scene: Scene, of_steps: Callable[[range, Sequence[Markup]], Markup]) -> list[Markup]:
    """Neighbouring shapes that are there at the same steps become one group, as `of_steps` makes it."""
    layers = []
    for name in LAYERS:
        parts = []
        for steps, shapes in groupby(getattr(scene, name), lambda shape: shape.steps):
            drawn = list(map(_shape, shapes))
            parts += drawn if steps is None else [of_steps(steps, drawn)]
        layers.append(element("g", *parts))
    return layers


def _shape(shape: Shape) -> Markup:
    if isinstance(shape, Box):
        return element(
            "rect",
            class_=shape.role, x=shape.x, y=shape.y, width=shape.width, height=shape.height,
            rx=shape.radius or None, fill_opacity=shape.strength if shape.strength < 1 else None,
            data_cell=shape.cell or None,
        )  # fmt: skip
    if isinstance(shape, Words):
        pieces = [
            piece.text if piece.role == shape.role else element("tspan", piece.text, class_=piece.role)
            for piece in shape.said
        ]
        return element(
            "text", *pieces,
            class_=shape.role, x=shape.x, y=shape.y + DOWN * shape.size,
            style=f"font-size:{number(shape.size)}px" + ";font-weight:600" * shape.bold,  # stronger than a page's rules
            text_anchor=shape.anchor if shape.anchor != "start" else None,
        )  # fmt: skip
    assert isinstance(shape, Line)
    return element("path", class_=shape.role, d=path(shape.points, shape.closed))

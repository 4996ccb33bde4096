"""A drawing that can be saved as whatever its file's name says."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from lenrek.drawing.scene.colours import Theme
from lenrek.drawing.scene.shapes import Scene
from lenrek.errors import OptionError, ShapeError

FORMATS = (".svg", ".gif", ".png", ".html")
MOST_STEPS = {".gif": 300, ".svg": 1000, ".html": 1000}
Layout = Callable[[int | None], Scene]


@dataclass(frozen=True, eq=False)
class Drawing:
    """A picture, in steps where it has some.

    Attributes:
        scene: the picture of one step, or with None of all of them, which appear one after the other.
        num_steps: 1 for a picture without steps.
        best_step: the one that is drawn when none is asked for.
        who: the function that made it, for error messages.
        record: what is drawn in numbers, ready for JSON.
    """

    scene: Layout
    num_steps: int
    best_step: int
    who: str
    record: Mapping[str, Any]

    def to_svg(self, step: int | None = None, *, theme: Theme = "auto") -> str:
        """One step; "auto" follows what the reader prefers, light or dark.

        Raises:
            OptionError: no such step, or an unknown theme.
        """
        from lenrek.drawing.scene.as_svg import as_svg

        return as_svg(self.scene(self._checked(step, theme)), theme)

    def to_animated_svg(self, *, seconds_per_step: float = 1.0, theme: Theme = "auto") -> str:
        """All steps, again and again; where the reader wants no motion, the last one."""
        from lenrek.drawing.scene.as_svg import as_animated_svg

        self._check_steps(".svg", seconds_per_step, theme)
        return as_animated_svg(self.scene(None), seconds_per_step, theme)

    def to_html(self, *, theme: Theme = "auto") -> str:
        """A page with a button, keys and a slider for the steps; it needs nothing from elsewhere."""
        from lenrek.drawing.scene.as_page import as_page

        self._check_steps(".html", 1.0, theme)
        return as_page(self.scene(None), theme)

    def to_gif(self, *, seconds_per_step: float = 1.0, theme: Theme = "auto") -> bytes:
        """All steps, again and again; a GIF has one theme, and "auto" is light."""
        from lenrek.drawing.scene.as_gif import as_gif

        self._check_steps(".gif", seconds_per_step, theme)
        return as_gif(self.scene(None), seconds_per_step, theme)

    def to_png(self, step: int | None = None, *, theme: Theme = "auto") -> bytes:
        """One step, in twice the size of the others; "auto" is light."""
        from lenrek.drawing.scene.as_gif import as_png

        return as_png(self.scene(self._checked(step, theme)), theme)

    def save(
        self,
        path: str | Path,
        *,
        step: int | None = None,
        animate: bool = False,
        seconds_per_step: float | None = None,
        theme: Theme = "auto",
    ) -> Path:
        """Write what the name ends in: `.svg` or `.png` (one step), `.svg` with `animate`, `.gif` or `.html` (all).

        Args:
            step: from 0; None: one in the middle that reads much.
            animate: an SVG of all steps.
            seconds_per_step: of what moves; None: 1.
            theme: "auto", "light" or "dark".
        Returns:
            The path.
        Raises:
            OptionError: a name that ends otherwise, an option that has no effect on it, a file that cannot be written.
        """
        path = Path(path)
        kind = path.suffix.lower()
        if kind not in FORMATS:
            raise OptionError(
                f"{self.who}: the file is {path.name!r}, expected a name that ends in {_listed(FORMATS)}."
            )
        moves = kind == ".gif" or (kind == ".svg" and animate)
        for name, given, matters in (
            ("step", step is not None, kind in (".svg", ".png") and not animate),
            ("animate", animate, kind == ".svg"),
            ("seconds_per_step", seconds_per_step is not None, moves),
        ):
            if given and not matters:
                raise OptionError(f"{self.who}: {name} has no effect on {'an animated ' * animate}{kind} file.")
        options: dict[str, Any] = {"theme": theme}
        if moves and seconds_per_step is not None:
            options["seconds_per_step"] = seconds_per_step
        if kind == ".gif":
            _write(path, self.to_gif(**options), self.who)
        elif kind == ".png":
            _write(path, self.to_png(step, **options), self.who)
        elif kind == ".html":
            _write(path, self.to_html(**options).encode(), self.who)
        elif animate:
            _write(path, self.to_animated_svg(**options).encode(), self.who)
        else:
            _write(path, self.to_svg(step, **options).encode(), self.who)
        return path

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def _checked(self, step: int | None, theme: object) -> int:
        self._check_theme(theme)
        if step is None:
            return self.best_step
        if not 0 <= step < self.num_steps:
            raise OptionError(f"{self.who}: step is {step}, expected 0 ≤ step < {self.num_steps}.")
        return step

    def _check_theme(self, theme: object) -> None:
        if theme not in get_args(Theme):
            raise OptionError(f"{self.who}: theme is {theme!r}, expected {_listed(get_args(Theme))}.")

    def _check_steps(self, kind: Literal[".svg", ".gif", ".html"], seconds: float, theme: object) -> None:
        self._check_theme(theme)
        if self.num_steps == 1 and kind != ".html":
            raise OptionError(f"{self.who}: a picture of one step has nothing to animate.\n  Hint: save it as .svg.")
        if not 0.02 <= seconds <= 60:
            raise OptionError(f"{self.who}: seconds_per_step is {seconds}, expected 0.02 to 60.")
        if self.num_steps > MOST_STEPS[kind]:
            raise ShapeError(
                f"{self.who}: {self.num_steps} outputs are as many steps, expected at most {MOST_STEPS[kind]} in a "
                f"{kind} file.\n  Hint: draw fewer samples, a larger stride, or one step as .svg."
            )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:-1]) + f" or {names[-1]}"


def _write(path: Path, content: bytes, who: str) -> None:
    """Beside and renamed, so that nobody meets half a file."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OptionError(f"{who}: {path} cannot be written: {error.strerror}.") from error

"""Charts written to a file: one as SVG, or all of them on a page with their table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lenrek.errors import OptionError

if TYPE_CHECKING:
    from markupsafe import Markup


def check_picture(path: Path | None, who: str, kinds: Sequence[str] = (".svg", ".html")) -> None:
    """Raise `OptionError` before any work is done for a file of no known kind.

    >>> check_picture(Path("shift.svg"), "equivariance")
    """
    if path is not None and path.suffix not in kinds:
        raise OptionError(f"{who}: --out is {path}, expected a name that ends in {' or '.join(kinds)}.")


def write_pictures(path: Path, title: str, charts: Sequence[tuple[str, Markup]], table: str) -> None:
    """The (caption, chart) pairs that are not empty as an HTML page, or the first of them as SVG."""
    from lenrek.drawing.page import fill_page
    from lenrek.drawing.plot import standalone

    drawn = [(caption, chart) for caption, chart in charts if chart]
    if path.suffix == ".svg":
        path.write_text(standalone(drawn[0][1]), encoding="utf-8")
        return
    page = fill_page(Path(__file__).with_suffix(".html"), {}, title=title, charts=drawn, table=table)
    path.write_text(page, encoding="utf-8")

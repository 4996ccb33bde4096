"""Charts written to a file: one as SVG, or all of them on a page with their table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lenrek.errors import OptionError

if TYPE_CHECKING:
    from markupsafe import Markup

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ margin: 2rem auto; max-width: 46rem; padding: 0 1.5rem; background: #fff; color: #1c2127;
  font: 1rem/1.5 system-ui, sans-serif }}
h1 {{ font-size: 1.2rem }} figure {{ margin: 2rem 0 }} figcaption {{ font-size: .9rem; color: #5d6772 }}
svg {{ width: 100%; height: auto; overflow: visible }} pre {{ overflow-x: auto }}
{style}</style></head><body><h1>{title}</h1>{figures}<pre>{table}</pre></body></html>
"""


def check_picture(path: Path | None, who: str) -> None:
    """Raise `OptionError` before any work is done for a file of no known kind.

    >>> check_picture(Path("shift.svg"), "equivariance")
    """
    if path is not None and path.suffix not in (".svg", ".html"):
        raise OptionError(f"{who}: --out is {path}, expected a name that ends in .svg or .html.")


def write_pictures(path: Path, title: str, charts: Sequence[tuple[str, Markup]], table: str) -> None:
    """The (caption, chart) pairs that are not empty as an HTML page, or the first of them as SVG."""
    from markupsafe import Markup, escape

    from lenrek.drawing.plot import STYLE, standalone

    drawn = [(caption, chart) for caption, chart in charts if chart]
    if path.suffix == ".svg":
        path.write_text(standalone(drawn[0][1]), encoding="utf-8")
        return
    figures = "".join(f"<figure>{chart}<figcaption>{escape(caption)}</figcaption></figure>" for caption, chart in drawn)
    page = PAGE.format(title=escape(title), style=STYLE, figures=Markup(figures), table=escape(table))
    path.write_text(page, encoding="utf-8")

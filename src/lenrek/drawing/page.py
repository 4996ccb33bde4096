"""Pages of one look: each is one file of HTML that needs no script, style, font or picture from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from jinja2.loaders import ChoiceLoader


def fill_page(template: Path, filters: Mapping[str, Callable[..., Any]], /, **values: Any) -> str:
    """The page that `template` makes of `values`.

    Args:
        template: extends "page/page.html", with its blocks title, style and body; files beside it may be included.
        filters: how it writes values; what is no markup already is escaped.
    """
    frame = PrefixLoader({"page": FileSystemLoader(Path(__file__).parent)})
    environment = Environment(
        loader=ChoiceLoader([frame, FileSystemLoader(template.parent)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    return environment.get_template(template.name).render(**values)

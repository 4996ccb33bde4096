"""A scene as a page of its own: a slider, buttons and keys go through its steps."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from markupsafe import Markup

from lenrek.drawing.page import fill_page
from lenrek.drawing.scene.as_svg import as_stepped_svg, style
from lenrek.drawing.scene.colours import Theme
from lenrek.drawing.scene.shapes import Scene

HERE = Path(__file__).parent


def as_page(scene: Scene, theme: Theme = "auto") -> str:
    """One file of HTML; the only script that it allows is the one inside it, known by its hash."""
    script = (HERE / "steps.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return fill_page(
        HERE / "steps.html",
        {},
        scene=scene,
        picture=as_stepped_svg(scene),
        colours=Markup(style(theme)),
        scheme={"auto": "light dark"}.get(theme, theme),
        theme=theme,
        script=Markup(script),
        digest=Markup(digest),
    )

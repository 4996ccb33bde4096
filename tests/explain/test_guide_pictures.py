"""The curves of the guide are what their script draws, up to rounding of the layers that they measure."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@pytest.mark.parametrize("name", ["shifts.svg", "spectra.svg", "kernel.svg"])
def test_the_pictures_are_what_their_script_draws(name: str) -> None:
    drawn = runpy.run_path(str(DOCS / "draw_analysis.py"))["PICTURES"][name]()
    kept = (DOCS / name).read_text(encoding="utf-8")
    assert NUMBER.sub("", drawn) == NUMBER.sub("", kept), f"run python docs/draw_analysis.py: {name} is out of date"
    pairs = zip(NUMBER.findall(drawn), NUMBER.findall(kept), strict=True)
    assert max(abs(float(a) - float(b)) for a, b in pairs) < 0.5  # a pixel's half

"""The whole source at once: rooms import only from their left, files stay small, and the command line starts fast."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

import lenrek

SOURCE = Path(lenrek.__file__).parent
ARROW: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("geometry",),
    ("kernels",),
    ("ops",),
    ("nn",),
    ("optimization", "models", "drawing"),
    ("data",),
    ("training",),
    ("explain",),
    ("search",),
    ("studio",),
    ("cli",),
)
BLIND = {("explain", "training")}  # a network can be explained without knowing how it was trained
ENTRANCES = {"__init__", "__main__"}  # of the package itself: they open any room
ROOMS = set(chain.from_iterable(ARROW))


def allowed(room: str) -> set[str]:
    """The rooms to the left of `room`, and itself."""
    place = next(i for i, abreast in enumerate(ARROW) if room in abreast)
    return {room} | {left for left in chain.from_iterable(ARROW[:place]) if (room, left) not in BLIND}


def imported(tree: ast.AST, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import in a module of `package`: at the top, in functions, for types, by string."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from ((node.lineno, alias.name) for alias in node.names)
            case ast.ImportFrom():
                start = package[: len(package) - node.level + 1] if node.level else ()
                origin = ".".join((*start, *filter(None, [node.module])))
                yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name


def trespasses(source: Path) -> list[str]:
    """Every import in the package folder `source` that goes against the arrow."""
    found = []
    for path in sorted(source.rglob("*.py")):
        place = path.relative_to(source).with_suffix("").parts
        if len(place) == 1 and place[0] in ENTRANCES:
            continue
        room = place[0]
        if room not in ROOMS:
            found.append(f"{'/'.join(place)}.py: {room} is no room of the arrow")
            continue
        package = ("lenrek", *place[:-1])
        for line, name in imported(ast.parse(path.read_bytes()), package):
            top, *inner = name.split(".")
            if top != "lenrek" or inner == ["__version__"]:
                continue
            # `lenrek` itself offers names from every room, so that importing it would hide where they come from.
            if not inner or inner[0] not in allowed(room):
                found.append(f"{'/'.join(place)}.py:{line}: {room} may not import {name}")
    return found


def test_rooms_import_only_from_their_left():
    assert trespasses(SOURCE) == []


@pytest.mark.parametrize(
    ("file", "code", "complaint"),
    [
        ("ops/pool.py", "from lenrek.nn import Conv", "ops/pool.py:1: ops may not import lenrek.nn.Conv"),
        ("ops/pool.py", "import lenrek.data.source", "ops/pool.py:1: ops may not import lenrek.data.source"),
        ("ops/pool.py", "import os, lenrek.nn as n", "ops/pool.py:1: ops may not import lenrek.nn"),
        ("ops/pool.py", "from lenrek import training", "ops/pool.py:1: ops may not import lenrek.training"),
        ("ops/pool.py", "from ..models import vgg", "ops/pool.py:1: ops may not import lenrek.models.vgg"),
        ("ops/pool.py", "from .. import cli", "ops/pool.py:1: ops may not import lenrek.cli"),
        ("ops/pool.py", "import lenrek", "ops/pool.py:1: ops may not import lenrek"),
        ("ops/pool.py", "from lenrek import train", "ops/pool.py:1: ops may not import lenrek.train"),
        ("ops/a/b.py", "from ...nn.conv import Conv", "ops/a/b.py:1: ops may not import lenrek.nn.conv.Conv"),
        ("ops/__init__.py", "from ..nn import Conv", "ops/__init__.py:1: ops may not import lenrek.nn.Conv"),
        ("geometry/a.py", "def f():\n    import lenrek.ops", "geometry/a.py:2: geometry may not import lenrek.ops"),
        (
            "models/a.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lenrek.data.source import Source",
            "models/a.py:3: models may not import lenrek.data.source.Source",
        ),
        (
            "data/a.py",
            "import importlib\nimportlib.import_module('lenrek.training.loop')",
            "data/a.py:2: data may not import lenrek.training.loop",
        ),
        ("errors.py", "import lenrek.geometry", "errors.py:1: errors may not import lenrek.geometry"),
        ("models/a.py", "import lenrek.optimization", "models/a.py:1: models may not import lenrek.optimization"),
        ("optimization.py", "import lenrek.models", "optimization.py:1: optimization may not import lenrek.models"),
        ("explain/a.py", "import lenrek.search", "explain/a.py:1: explain may not import lenrek.search"),
        ("explain/a.py", "import lenrek.training", "explain/a.py:1: explain may not import lenrek.training"),
        ("studio/a.py", "import lenrek.cli", "studio/a.py:1: studio may not import lenrek.cli"),
        ("attic/a.py", "", "attic/a.py: attic is no room of the arrow"),
    ],
)
def test_the_arrow_can_be_broken(tmp_path, file, code, complaint):
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)
    assert trespasses(tmp_path) == [complaint]


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("ops/pool.py", "from lenrek.geometry import windows\nfrom lenrek.errors import ShapeError"),
        ("ops/pool.py", "from .conv import correlate\nimport torch\nimport lenrekking"),
        ("data/source.py", "from lenrek.models.contract import InputContract"),
        ("search/index.py", "import lenrek.training.classifier\nimport lenrek.explain.layers"),
        ("training/run_folder.py", "from lenrek import __version__"),
        ("__init__.py", "import lenrek.studio"),
        ("cli/studio.py", "from lenrek.studio.serve import serve"),
        ("__main__.py", "from lenrek.cli import main"),
    ],
)
def test_the_arrow_can_be_kept(tmp_path, file, code):
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)
    assert trespasses(tmp_path) == []


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "base"])
def test_no_file_is_named_after_nothing(name):
    assert sorted(SOURCE.rglob(f"{name}.py")) + sorted(SOURCE.rglob(name)) == []


def test_no_file_hides_two_ideas():
    lengths = {path.relative_to(SOURCE): len(path.read_text().splitlines()) for path in SOURCE.rglob("*.py")}
    assert {path: lines for path, lines in lengths.items() if lines > 400} == {}


@pytest.mark.parametrize(
    "start",
    [
        "import lenrek",
        "import lenrek.geometry",
        "from lenrek.cli import main; sys.argv = ['lenrek', '--help']; main()",
    ],
)
def test_the_command_line_starts_without_torch(start):
    code = f"""
import sys
try:
    {start}
except SystemExit as stop:
    assert not stop.code, stop.code
sys.exit("torch was imported" if "torch" in sys.modules else 0)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")

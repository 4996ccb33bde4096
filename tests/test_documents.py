"""Every code block of the README and the guide runs, and prints what it says it prints."""

import contextlib
import doctest
import io
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(text: str) -> list[tuple[str, str]]:
    """(language, code) of every block; a python block directly followed by a text block keeps the two together."""
    return [(match.group(1), match.group(2)) for match in BLOCK.finditer(text)]


def check(said: str, printed: str, code: str) -> None:
    checker = doctest.OutputChecker()
    example = doctest.Example(code, said)
    assert checker.check_output(said, printed, FLAGS), checker.output_difference(example, printed, FLAGS)


def run_console(code: str) -> None:
    """Each `$ command` prints (stdout and stderr together) the lines that follow it."""
    for part in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
        command, _, said = part.partition("\n")
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "100"}
        result = subprocess.run(
            command, shell=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert result.returncode == 0, result.stdout
        check(said, result.stdout, command)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LENREK_CACHE", str(tmp_path / "cache"))
    namespace: dict[str, object] = {}
    text = page.read_text()
    found = blocks(text)
    opened, closed = (len(re.findall(fence, text, re.MULTILINE)) for fence in (r"^```\S", "^```$"))
    assert opened == closed, "a block that is not closed by three backquotes hides what follows"
    for number, (language, code) in enumerate(found):
        if language == "console":
            run_console(code)
        if language == "python":
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(code, f"{page.name}, block {number + 1}", "exec"), namespace)
            said = found[number + 1][1] if found[number + 1 : number + 2] and found[number + 1][0] == "text" else ""
            check(said, output.getvalue(), code)


def test_the_pictures_are_what_their_script_draws() -> None:
    for script in ("draw_windows.py", "draw_receptive.py", "draw_arithmetic.py"):
        for name, draw in runpy.run_path(str(ROOT / "docs" / script))["PICTURES"].items():
            drawn = (ROOT / "docs" / name).read_text(encoding="utf-8")
            assert drawn == draw(), f"run python docs/{script}: {name} is out of date"


def test_a_wrong_output_is_noticed() -> None:
    with pytest.raises(AssertionError, match="Expected"):
        check("3\n", "4\n", "print(1 + 3)")

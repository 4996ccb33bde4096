"""`lenrek models`, and what `lenrek` alone says."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from commands import Cli

import lenrek

NO_TORCH = """
import sys
from lenrek.cli.app import main
sys.argv = ["lenrek", *sys.argv[1:]]
try:
    main()
finally:
    slow = {"torch", "numpy", "scipy", "sklearn", "PIL"} & set(sys.modules)
    assert not slow, slow
"""


def test_every_architecture_is_listed(cli: Cli) -> None:
    outcome = cli("models", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    rows = [json.loads(line) for line in outcome.out.splitlines()]
    assert [row["name"] for row in rows] == lenrek.list_models()
    (lenet5,) = [row for row in rows if row["name"] == "lenet5"]
    # 5·5·3·6+6 + 5·5·6·16+16 + 400·120+120 + 120·84+84 + 84·10+10
    assert lenet5 == {
        "name": "lenet5", "ndims": [1, 2, 3], "min_size": 12, "default_size": 28, "parameters": 62_006,
        "source": lenet5["source"],
    }  # fmt: skip
    assert "LeCun" in lenet5["source"]


def test_table_has_one_line_each_when_it_is_not_a_terminal(cli: Cli) -> None:
    heading, _, *rows = cli("models").out.splitlines()
    assert heading.split() == ["model", "for", "min", "size", "parameters", "source"]
    assert [row.split()[0] for row in rows] == lenrek.list_models()
    assert all(row == row.rstrip() for row in rows)
    assert "1/2/3-D" in rows[0]


def test_rows_are_cut_to_fit_a_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    rows = cli("models").out.splitlines()[2:]
    assert [row.split()[0] for row in rows] == lenrek.list_models()
    assert all(len(row) <= 80 for row in rows)
    assert rows[0].endswith("…")


def test_help_and_version_import_nothing_slow() -> None:
    for option, said in (("--help", "train"), ("--version", f"lenrek {lenrek.__version__}\n")):
        command = [sys.executable, "-c", NO_TORCH, option]
        ended = subprocess.run(command, capture_output=True, text=True)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert said in ended.stdout


def test_every_command_has_help(cli: Cli) -> None:
    for command in ("train", "evaluate", "predict", "export", "models", "bench", "doctor", "data"):
        outcome = cli(command, "--help")
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out.startswith(f"Usage: lenrek {command} ")


def test_debug_shows_the_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENREK_DEBUG", "")
    with pytest.raises(lenrek.LenrekError, match=r"^open_source: there is no nowhere\."):
        cli("--debug", "train", "nowhere")

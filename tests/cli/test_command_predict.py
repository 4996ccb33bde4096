"""`lenrek predict`: class and posterior of files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import Cli

import lenrek
from lenrek.cli.console import shown


def test_one_json_line_per_file_in_the_order_given(cli: Cli, run: Path, folders: Path) -> None:
    files = [folders / "below/03.png", folders / "above/01.png", folders / "below/00.png"]
    outcome = cli("predict", run, *files, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    rows = [json.loads(line) for line in outcome.out.splitlines()]
    assert [row["file"] for row in rows] == list(map(str, files))
    for row, expected in zip(rows, lenrek.load(run).predict(files), strict=True):
        assert row["label"] == max(row["posterior"], key=row["posterior"].get) == expected.label
        assert row["confidence"] == max(row["posterior"].values())
        assert sum(row["posterior"].values()) == pytest.approx(1)
        assert list(row["posterior"]) == ["above", "below"]


def test_printed_table(cli: Cli, run: Path, folders: Path) -> None:
    file = folders / "below/03.png"
    (expected,) = lenrek.load(run).predict(file)
    outcome = cli("predict", run, file, "--top", 1)
    assert (outcome.status, outcome.err) == (0, "")
    heading, line, row = outcome.out.splitlines()
    assert heading.split() == ["file", "class", "posterior"]
    assert set(line) == {"─"}
    posterior = f"{expected.label} {100 * expected.confidence:.1f} %"
    assert row.split(maxsplit=2) == [str(file), expected.label, posterior]  # and long names are not wrapped
    assert ", " in cli("predict", run, file).out.splitlines()[2]


def test_folders_are_searched_and_sorted(cli: Cli, run: Path, folders: Path) -> None:
    rows = [json.loads(line) for line in cli("predict", run, folders, "--json").out.splitlines()]
    assert [row["file"] for row in rows] == sorted(map(str, folders.glob("*/*.png")))


def test_model_file_alone_is_enough(cli: Cli, run: Path, folders: Path) -> None:
    file = folders / "above/01.png"
    assert cli("predict", run / "model.safetensors", file).out == cli("predict", run, file).out


def test_views(cli: Cli, run: Path, folders: Path) -> None:
    files = [folders / "below/03.png", folders / "above/01.png"]
    outcome = cli("predict", run, *files, "--json", "--tta", 2, "--tta-policy", "flip")
    assert outcome.status == 0
    found = [json.loads(line)["posterior"] for line in outcome.out.splitlines()]
    expected = lenrek.load(run).predict(files, tta=2, tta_policy="flip")
    assert found == [p.posterior for p in expected]
    assert found != [p.posterior for p in lenrek.load(run).predict(files)]
    assert outcome.err.startswith("Test-time augmentation: 2 views by flip; of all samples, ")
    assert cli("predict", run, *files, "--tta", 3, "--tta-policy", "flip").err == (
        "lenrek: test-time augmentation: 3 views are asked for, but flip gives only 2 different ones.\n"
        "  Hint: pass --tta 2, or more to choose from, for example --tta-policy flip,shift=0.1.\n"
    )


def test_path_that_is_not_there(cli: Cli, run: Path, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"")
    outcome = cli("predict", run, tmp_path / "cta.png")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == f"lenrek: predict: there is no {shown(tmp_path)}/cta.png.\n  Hint: did you mean cat.png?\n"
    (tmp_path / "none").mkdir()
    assert cli("predict", run, tmp_path / "none").err == (
        f"lenrek: predict: the folder {tmp_path}/none holds no image.\n"
    )
    (tmp_path / "none/notes.txt").write_text("x")
    assert cli("predict", run, tmp_path / "none").err == (
        f"lenrek: predict: the folder {tmp_path}/none holds no image, only 1 other file.\n"
    )


def test_volumes(cli: Cli, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.random((24, 12, 13, 14), np.float32)
    x[::2, :6] += 1
    lenrek.train((x, np.arange(24) % 2), out=tmp_path / "run", epochs=1, precision="fp32", progress=False)
    np.save(tmp_path / "one.npy", x[4])
    outcome = cli("predict", tmp_path / "run", tmp_path / "one.npy", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    (expected,) = lenrek.load(tmp_path / "run").predict(x[4][None])
    assert json.loads(outcome.out)["posterior"] == pytest.approx(expected.posterior, rel=1e-5)
    np.save(tmp_path / "two.npy", np.zeros((2, 12, 13, 14)))
    outcome = cli("predict", tmp_path / "run", tmp_path / "two.npy")
    assert (outcome.status, outcome.out) == (1, "")

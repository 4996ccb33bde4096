"""`lenrek data check`: what is in data and what is wrong with it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from commands import Cli, class_folders, picture
from PIL import Image


def problematic(root: Path) -> Path:
    data = class_folders(root / "photos", 3)
    shutil.copy(data / "above/00.png", data / "above/copy.png")
    shutil.copy(data / "above/01.png", data / "below/liar.png")
    Image.fromarray(picture("below", 9, (15, 20))).save(data / "below/large.png")
    return data


def test_classes_sizes_and_problems(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("data", "check", problematic(tmp_path), "--json")
    assert (outcome.status, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    problems = {problem["kind"]: problem for problem in found.pop("problems")}
    assert found == {
        "name": "photos", "kind": "image", "samples": 9, "channels": 3, "classes": {"above": 4, "below": 5},
        "sizes": {"min": [14, 18], "max": [15, 20]},
    }  # fmt: skip
    assert set(problems) == {"conflict", "duplicate"}
    assert sorted(problems["conflict"]["samples"]) == ["above/01.png", "below/liar.png"]
    assert "above/copy.png = above/00.png" in problems["duplicate"]["message"]


def test_printed(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("data", "check", problematic(tmp_path))
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == "photos: 9 images of 14×18 to 15×20, 3 channels"
    assert [line.split() for line in lines[2:6:2]] == [["class", "samples"], ["above", "4"]]
    assert [line.split()[0] for line in lines[-2:]] == ["conflict", "duplicate"]


def test_nothing_wrong(cli: Cli, folders: Path) -> None:
    assert cli("data", "check", folders).out.splitlines()[-1] == "no problems found"
    assert json.loads(cli("data", "check", "digits", "--json").out)["classes"]["3"] == 183

"""`lenrek data augment`: the picture of a policy, and what a trained network says of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from commands import Cli
from PIL import Image


def test_a_page(cli: Cli, folders: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.html"
    outcome = cli("data", "augment", folders, "--policy", "rotate=10; below: rotate=3", "--out", out, "--views", 3)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        f"picture   {out}",
        "policy    In every epoch each training sample is rotated by up to 10°. For below: rotate=3.",
    ]
    assert out.read_text().count("<td>") == 2 * 4


def test_a_png(cli: Cli, folders: Path, tmp_path: Path) -> None:
    outcome = cli("data", "augment", folders, "--out", tmp_path / "p.png", "--json")
    assert json.loads(outcome.out) == {
        "policy": "standard", "data": "pictures", "out": str(tmp_path / "p.png"), "transforms": [],
    }  # fmt: skip
    assert Image.open(tmp_path / "p.png").width > 500


def test_a_network_is_asked(cli: Cli, folders: Path, run: Path, tmp_path: Path) -> None:
    found = json.loads(
        cli("data", "augment", folders, "--policy", "flip_vertical,brightness=0.1", "--check", run, "--json",
            "--out", tmp_path / "p.html").out
    )["transforms"]  # fmt: skip
    assert {one["transform"] for one in found} == {"flip_vertical", "brightness"}
    assert all(0 <= one["changed"] <= 1 and one["samples"] <= 8 for one in found)
    spoken = cli("data", "augment", folders, "--policy", "brightness=0.01", "--check", run,
                 "--out", tmp_path / "p.html").out  # fmt: skip
    assert spoken.splitlines()[2].startswith("classes   ")


def test_refusals(cli: Cli, folders: Path, run: Path, tmp_path: Path) -> None:
    def refused(*options: object) -> str:
        outcome = cli("data", "augment", *options)
        assert (outcome.status, outcome.out) == (1, "")
        return outcome.err

    assert refused(folders, "--out", "p.jpg") == "lenrek: augment: --out is p.jpg, but must end in .html or .png.\n"
    assert refused(folders, "--policy", "standrd").endswith("Hint: did you mean standard?\n")
    assert refused(folders, "--policy", "flip; abov: flip=0").endswith("Hint: did you mean above?\n")
    assert refused(folders, "--size", 20, "--check", run) == (
        f"lenrek: augment: --size 20 has no effect with --check {run}, which knows its own input.\n"
    )
    signals = tmp_path / "signals.npz"
    np.savez(signals, x=np.zeros((4, 100), np.float32), y=np.arange(4) % 2)
    assert refused(signals, "--out", "p.png") == (
        "lenrek: augment: --out p.png is for images, but signals holds signals.\n"
        "  Hint: pass a name that ends in .html.\n"
    )

"""`lenrek explain`: what it prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import Cli
from PIL import Image

ONE = ("--method", "grad-cam")


def test_a_row_for_each_file_and_method(cli: Cli, run: Path, folders: Path) -> None:
    files = [folders / "above" / "00.png", folders / "below" / "01.png"]
    outcome = cli("explain", run, *files, *ONE, "--method", "integrated-gradients")
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()[2:]
    assert len(lines) == 4
    assert [line.split()[0] for line in lines] == [str(file) for file in files for _ in range(2)]
    assert [("integrated-gradients" if i % 2 else "grad-cam") in line for i, line in enumerate(lines)] == [True] * 4


def test_json_and_the_page(cli: Cli, run: Path, folders: Path, tmp_path: Path) -> None:
    page, file = tmp_path / "page.html", folders / "above" / "00.png"
    options = ("--target", "below", "--layer", "features.2", "--out", page)
    outcome = cli("explain", run, file, *ONE, *options, "--json")
    assert (outcome.status, outcome.err) == (0, f"page  {page}\n")
    told = json.loads(outcome.out)
    (one,) = told["samples"]
    assert (told["model"], one["file"], one["target"]) == (str(run), str(file), "below")
    (found,) = one["evidence"]["methods"]
    assert (found["method"], found["layer"], found["target"]) == ("grad-cam", "features.2", 1)
    assert {"deletion_auc", "random_deletion_auc", "insertion_auc", "random_weights"} <= set(found)
    text = page.read_text()
    assert text.count("<article>") == 2  # the file, and the network
    assert "What speaks for below" in text
    by_number = json.loads(cli("explain", run, file, *ONE, "--target", "1", "--layer", "features.2", "--json").out)
    assert by_number["samples"] == told["samples"]


def test_a_damaged_file_is_named(cli: Cli, run: Path, folders: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    outcome = cli("explain", run, folders / "above" / "00.png", bad, *ONE, "--json")
    assert outcome.status == 1
    assert "bad.png" in outcome.err
    assert len(json.loads(outcome.out)["samples"]) == 1
    outcome = cli("explain", run, bad, *ONE)
    assert (outcome.status, outcome.out) == (1, "")
    assert "not one of 1 image could be read" in outcome.err


def test_what_is_refused(cli: Cli, run: Path, folders: Path) -> None:
    file = folders / "above" / "00.png"
    for options, expected in (
        (("--method", "gradcam"), "explain: method is 'gradcam', expected one of grad-cam,"),
        (("--target", "abov"), "did you mean above?"),
        (("--target", "2"), "target is 2, but the network has 2 classes: 0 to 1 are expected."),
        (("--layer", "features.99"), "the network has no layer 'features.99'."),
        (("--method", "occlusion", "--layer", "features"), "--layer features has no effect on occlusion."),
        (("--out", "page.svg"), "--out is page.svg, expected a name that ends in .html."),
    ):
        outcome = cli("explain", run, file, *options)
        assert (outcome.status, outcome.out) == (1, ""), options
        assert expected in outcome.err
    assert "there is no nothing.png" in cli("explain", run, "nothing.png").err
    assert "is an architecture without weights" in cli("explain", "lenet5", file).err


def test_squeezenet_on_a_picture(cli: Cli, real_weights: Path, tmp_path: Path) -> None:
    weights = real_weights / "squeezenet1_1-imagenet.safetensors"
    if not weights.exists():
        pytest.skip(f"no {weights.name}")
    ramp = np.linspace(0, 255, 227).astype(np.uint8)
    Image.fromarray(np.stack([ramp[None].repeat(227, 0), ramp[:, None].repeat(227, 1)] * 2, -1)[..., :3]).save(
        tmp_path / "ramp.png"
    )
    outcome = cli("explain", f"squeezenet1_1:{weights}", tmp_path / "ramp.png", *ONE, "--json")
    assert outcome.status == 0
    (found,) = json.loads(outcome.out)["samples"][0]["evidence"]["methods"]
    assert (found["layer"], np.array(found["cells"]).shape) == ("classifier.2", (14, 14))
    assert found["centres"][0][:2] == [15.0, 31.0]


def test_robustness(cli: Cli, run: Path, folders: Path, tmp_path: Path) -> None:
    options = ("--epsilon", "0,0.5,0.01", "--samples", 6, "--steps", 2)
    outcome = cli("robustness", run, folders, *options, "--json", "--out", tmp_path / "left.svg")
    assert (outcome.status, outcome.err) == (0, "")
    told = json.loads(outcome.out)
    assert (told["method"], told["norm"], told["samples"]) == ("pgd", "linf", 6)
    assert [row["epsilon"] for row in told["rows"]] == [0, 0.01, 0.5]
    assert (tmp_path / "left.svg").read_text().startswith("<svg")
    lines = cli("robustness", run, folders, *options).out.splitlines()[2:]
    assert [line.split()[0] for line in lines] == ["0", "0.01", "0.5"]
    for bad, expected in (
        (("--norm", "l1"), "robustness: norm is 'l1', expected 'linf' or 'l2'."),
        (("--method", "cw"), "robustness: method is 'cw', expected 'fgsm' or 'pgd'."),
        (("--method", "fgsm", "--steps", 3), "steps=3 has no effect on fgsm"),
        (("--epsilon", "0,x"), "--epsilon is '0,x', expected numbers joined by commas"),
    ):
        outcome = cli("robustness", run, folders, *bad)
        assert (outcome.status, outcome.out) == (1, "")
        assert expected in outcome.err

"""`lenrek equivariance`, `distances` and `spectrum`: what they print, draw and refuse."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from commands import Cli

import lenrek


def test_equivariance_of_a_trained_network(cli: Cli, run: Path, folders: Path, tmp_path: Path) -> None:
    options = ("--sizes", "1,2", "--layer", "features.0", "--axis", 0, "--boundary", "circular")
    outcome = cli("equivariance", run, folders, *options, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert (found["transform"], found["axis"], found["boundary"], found["samples"]) == ("shift", 0, "circular", 16)
    assert [point["size"] for point in found["points"]] == [1, 2]
    assert all(0 <= point["unchanged"] <= 1 for point in found["points"])
    outcome = cli("equivariance", run, folders, *options, "--out", tmp_path / "shift.html")
    assert outcome.out.splitlines()[0] == "shift along axis 0, boundary circular, layer features.0"
    page = (tmp_path / "shift.html").read_text()
    assert page.count("<svg") == 2
    assert "http:" not in page
    assert "https:" not in page


def test_an_architecture_takes_the_size_of_the_data(cli: Cli, tmp_path: Path) -> None:
    options = ("--transform", "flip", "--samples", 3, "--size", 16, "--out", tmp_path / "flip.svg")
    outcome = cli("equivariance", "lenet5", "digits", *options)
    assert outcome.status == 0
    assert outcome.out.startswith("flip of axis -1\n")
    picture = ElementTree.parse(tmp_path / "flip.svg").getroot()
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"


def test_distances(cli: Cli, run: Path, folders: Path, tmp_path: Path) -> None:
    outcome = cli("distances", run, folders, "--neighbours", 3, "--out", tmp_path / "roc.svg", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    places = [(row["where"], row["metric"]) for row in found["rows"]]
    assert places[::2] == [("input", "euclidean"), ("before classifier.5", "euclidean")]
    assert (found["samples"], found["classes"], found["k"]) == (16, 2, 3)
    ElementTree.parse(tmp_path / "roc.svg")
    outcome = cli("distances", run, folders, "--layer", "features", "--layer", "classifier.1")
    assert [line.split()[0] for line in outcome.out.splitlines()[1::2]] == [
        "input",
        "features",
        "classifier.1",
        "chance",
    ]


def test_spectrum(cli: Cli, run: Path) -> None:
    outcome = cli("spectrum", run, "--json")
    rows = [json.loads(line) for line in outcome.out.splitlines()]
    assert [row["name"] for row in rows] == ["features.0", "features.3", "classifier.1", "classifier.3", "classifier.5"]
    weight = lenrek.load(run).network.get_submodule("classifier.5").weight.detach().double().cpu()
    assert rows[-1]["norm"] == pytest.approx(weight.svd().S[0].item(), rel=1e-6)
    assert cli("spectrum", run).out.split()[:5] == ["layer", "type", "input", "norm", "by"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("equivariance", "lenet5", "digits", "--out", "a.png"),
         "equivariance: --out is a.png, expected a name that ends in .svg or .html."),
        (("equivariance", "lenet5", "digits", "--sizes", "1;2"),
         "equivariance: --sizes is '1;2', expected numbers joined by commas: 1,2.5,4."),
        (("equivariance", "lenet5", "digits", "--transform", "rotate"),
         "equivariance: transform is 'rotate', expected one of shift, flip, rotation, scaling, contrast, brightness."
         "\n  Hint: did you mean rotation?"),
        (("equivariance", "lenet5", "digits", "--transform", "rotation", "--axis", 1),
         "equivariance: axis=1 has no effect on rotation.\n  Hint: leave it out."),
        (("equivariance", "lenet5", "digits", "--size", 16, "--layer", "feature.0"),
         "equivariance: the network has no layer 'feature.0'.\n  Hint: did you mean features.0?"),
        (("equivariance", "m5", "digits", "--size", 2048),
         "equivariance: digits holds images, which are 2-D, but m5 takes 1-D samples."),
        (("distances", "lenet5", "digits", "--size", 16, "--samples", 4, "--neighbours", 4),
         "compare_distances: k is 4, but each of 4 samples has 4 − 1 = 3 others: 1 to 3 are expected."),
    ],
)  # fmt: skip
def test_what_is_refused(cli: Cli, arguments: tuple[object, ...], message: str) -> None:
    outcome = cli(*arguments)
    assert (outcome.status, outcome.out, outcome.err) == (1, "", f"lenrek: {message}\n")

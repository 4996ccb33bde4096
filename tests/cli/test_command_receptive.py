"""`lenrek receptive-field`: what it prints, draws and refuses."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from commands import Cli


def test_a_table_of_all_layers(cli: Cli) -> None:
    outcome = cli("receptive-field", "lenet5", "--size", 28)
    assert (outcome.status, outcome.err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in outcome.out.splitlines()[2:]}
    assert rows["features.5"] == ["MaxPool2d", "16", "×", "5", "×", "5", "16", "4", "-2", "5.5"]
    assert rows["classifier.5"] == ["Linear", "10", "whole", "0", "13.5"]


def test_one_feature_one_input_and_what_is_measured(cli: Cli, tmp_path: Path) -> None:
    options = ("--size", "24x40", "--layer", "features.2", "--at", "1,0", "--pixel", "5,39", "--effective")
    outcome = cli("receptive-field", "lenet5", *options, "--json", "--out", tmp_path / "field.svg")
    assert (outcome.status, outcome.err) == (0, "")
    told = json.loads(outcome.out)
    assert told["inputs"] == [[1, 3, 24, 40]]
    assert [layer["name"] for layer in told["layers"]] == ["features.2"]
    assert (told["at"], told["box"]) == ([1, 0], [[0, 5], [0, 3]])
    assert (told["pixel"], told["reaches"]) == ([5, 39], [[1, 3], [18, 19]])
    assert told["effective"]["box"] == told["box"]
    assert 0 < told["effective"]["effective_size"] <= 6
    picture = ElementTree.parse(tmp_path / "field.svg").getroot()
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    outcome = cli("receptive-field", "lenet5", *options, "--out", tmp_path / "field.html")
    lines = outcome.out.splitlines()
    assert "feature 1,0 of features.2 sees 0 to 5 × 0 to 3" in lines
    assert "input 5,39 reaches 1 to 3 × 18 to 19 of features.2" in lines
    assert (tmp_path / "field.html").read_text().count("<svg") == 2


def test_a_trained_network(cli: Cli, run: Path) -> None:
    outcome = cli("receptive-field", run, "--layer", "features.0", "--json")
    assert outcome.status == 0
    assert json.loads(outcome.out)["layers"][0]["fields"][0]["size"] == 5


def test_what_is_refused(cli: Cli, tmp_path: Path) -> None:
    for options, expected in (
        (("--layer", "feature.0"), "did you mean features.0?"),
        (("--at", "1;2"), "--at is '1;2', expected a whole number for each axis, joined by ',': 64,96."),
        (("--layer", "features.0", "--at", "99,0"), "expected positions below (28, 28)"),
        (("--pixel", "3"), "pixel is (3,), expected one position for each axis of the input"),
        (("--out", "field.png"), "expected a name that ends in .svg or .html"),
    ):
        outcome = cli("receptive-field", "lenet5", "--size", 28, *options)
        assert (outcome.status, outcome.out) == (1, ""), options
        assert expected in outcome.err

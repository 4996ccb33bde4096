"""`lenrek evaluate`: figures of a trained network on labelled data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import Cli, class_folders

import lenrek


@pytest.fixture
def unseen(tmp_path: Path) -> Path:
    """Other pictures of the same classes, one of them in the wrong folder."""
    data = class_folders(tmp_path / "unseen", 5)
    (data / "above/00.png").rename(data / "below/moved.png")
    return data


def test_figures_are_those_of_the_predictions(cli: Cli, run: Path, unseen: Path) -> None:
    outcome = cli("evaluate", run, unseen, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    predictions = lenrek.load(run).predict(unseen)
    right = [Path(p.name).parent.name == p.label for p in predictions]
    assert (found["num_samples"], found["accuracy"]) == (10, pytest.approx(np.mean(right)))
    confusion = np.zeros((2, 2), int)
    for p in predictions:
        confusion[["above", "below"].index(Path(p.name).parent.name), ["above", "below"].index(p.label)] += 1
    assert found["confusion"] == confusion.tolist()


def test_printed_figures(cli: Cli, run: Path, unseen: Path) -> None:
    found = json.loads(cli("evaluate", run, unseen, "--json").out)
    outcome = cli("evaluate", run, unseen)
    assert (outcome.status, outcome.err) == (0, "")
    low, high = found["accuracy_interval"]
    lines = outcome.out.splitlines()
    assert lines[:4] == [
        f"accuracy           {100 * found['accuracy']:.1f} % on 10 samples "
        f"(95 % interval: {100 * low:.1f} % to {100 * high:.1f} %)",
        f"balanced accuracy  {100 * found['balanced_accuracy']:.1f} %",
        f"calibration error  {100 * found['calibration_error']:.1f} %",
        "",
    ]
    assert lines[4].split() == ["class", "precision", "recall", "F1", "samples"]
    rows = [line.split() for line in lines[6:]]
    assert [(row[0], row[-1]) for row in rows] == [("above", "4"), ("below", "6")]
    for row, expected in zip(rows, found["per_class"], strict=True):
        assert row[1:-1:2] == [f"{100 * expected[key]:.1f}" for key in ("precision", "recall", "f1")]


def test_parts_of_the_data_it_was_trained_on(cli: Cli, run: Path, folders: Path) -> None:
    stored = json.loads((run / "evaluation.json").read_text())
    numbers = {}
    for part in ("train", "validation", "test", "all"):
        numbers[part] = json.loads(cli("evaluate", run, folders, "--part", part, "--json").out)["num_samples"]
    assert numbers == {"train": 12, "validation": 2, "test": 2, "all": 16}
    default = json.loads(cli("evaluate", run, folders, "--json").out)
    assert default["confusion"] == stored["test"]["confusion"]
    assert default["loss"] == pytest.approx(stored["test"]["loss"], rel=1e-5)


def test_part_that_there_is_not(cli: Cli, run: Path, unseen: Path, folders: Path) -> None:
    outcome = cli("evaluate", run, unseen, "--part", "validation")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == (
        "lenrek: evaluate: unseen is not the data this network was trained on, so it has no validation part.\n"
        "  Hint: leave the part out to evaluate all of it.\n"
    )
    outcome = cli("evaluate", run, folders, "--part", "tset")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == "lenrek: evaluate: part is 'tset', but must be one of train, validation, test, all.\n"


def test_gain_of_views(cli: Cli, run: Path, unseen: Path) -> None:
    plain = json.loads(cli("evaluate", run, unseen, "--json").out)
    asked = ("evaluate", run, unseen, "--tta", 5, "--tta-policy", "shift=0.2,flip", "--tta-below", 0.9)
    outcome = cli(*asked, "--json")
    assert outcome.status == 0
    found = json.loads(outcome.out)
    views = found.pop("tta")
    assert set(found) == set(plain)
    assert (views["views"], views["below"]) == (5, 0.9)
    assert views["gain"]["without"] == plain
    classifier = lenrek.load(run)
    again = classifier.evaluate(unseen, tta=5, tta_policy="shift=0.2,flip", tta_below=0.9)
    assert found == json.loads(json.dumps(again.to_json()))
    assert classifier.views.share == views["share"]
    sentence = outcome.err.splitlines()
    assert sentence[0].startswith(
        f"Test-time augmentation: 5 views by shift=0.2, flip; of {100 * views['share']:.1f} % of the samples "
        "(confidence below 0.9), "
    )
    assert len(sentence) == 1

    lines = cli(*asked).out.splitlines()
    assert lines[0].startswith(f"accuracy           {100 * found['accuracy']:.1f} % on 10 samples")
    assert lines[4].split() == ["views", "without", "with", "difference"]
    for line, key in zip(lines[6:9], ("accuracy", "balanced_accuracy", "calibration_error"), strict=True):
        figures = f"{100 * plain[key]:.2f} % {100 * found[key]:.2f} % {100 * (found[key] - plain[key]):+.2f}"
        assert line.split()[-5:] == figures.split()
    change = found["loss"] - plain["loss"]
    assert lines[9].split() == ["loss", f"{plain['loss']:.4f}", f"{found['loss']:.4f}", f"{change:+.4f}"]
    assert lines[10].endswith(f" newly right, {views['gain']['newly_wrong']} newly wrong.")


def test_views_that_there_are_not(cli: Cli, run: Path, unseen: Path) -> None:
    outcome = cli("evaluate", run, unseen, "--tta-below", 0.9)
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == (
        "lenrek: test-time augmentation: --tta-below 0.9 has no effect without --tta.\n"
        "  Hint: pass --tta 8 for 8 views, or leave it out.\n"
    )
    outcome = cli("evaluate", run, unseen, "--tta", 4)
    assert outcome.err == (
        "lenrek: test-time augmentation: what this network was trained with is none, so no other view of a sample is "
        "known to keep its class.\n  Hint: say how to look at it, for example --tta-policy flip,shift=0.1.\n"
    )

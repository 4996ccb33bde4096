"""`lenrek summary`: what it prints, its JSON, its page, and what it says of bad questions."""

from __future__ import annotations

import json

import pytest
from commands import Cli
from torch import nn

from lenrek.cli import subject
from lenrek.explain.summary import summary
from lenrek.models.create import create_model


def test_it_prints_the_summary_of_an_architecture(cli: Cli):
    outcome = cli("summary", "lenet5", "--size", 32, "--channels", 1)
    expected = summary(create_model("lenet5", num_classes=10, in_channels=1), (1, 32, 32))
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == expected.to_text(width=None) + "\n"


def test_json_is_the_summary(cli: Cli):
    outcome = cli("summary", "resnet18", "--size", 64, "--classes", 1000, "--batch", 10**6, "--json")
    found = json.loads(outcome.out)
    assert found["model"] == "resnet18"
    assert found["inputs"] == [[10**6, 3, 64, 64]]
    assert found["totals"]["parameters"] == 11_689_512
    assert found["rows"][0]["macs"] == found["totals"]["macs"]


def test_several_sizes_are_compared(cli: Cli):
    outcome = cli("summary", "lenet5", "--size", "28,32x40", "--batch", "1,8", "--channels", 1)
    rows = [line.split() for line in outcome.out.splitlines()[2:]]
    assert [row[0] for row in rows] == ["1×1×28×28", "8×1×28×28", "1×1×32×40", "8×1×32×40"]
    assert {row[1] for row in rows} == {"61.7"}
    lines = cli("summary", "lenet5", "--size", "28,32", "--json").out.splitlines()
    assert [json.loads(line)["inputs"] for line in lines] == [[[1, 3, 28, 28]], [[1, 3, 32, 32]]]


def test_depth_and_page(cli: Cli, tmp_path):
    page = tmp_path / "summary.html"
    outcome = cli("summary", "lenet5", "--size", 32, "--depth", 1, "--out", page)
    assert "features" in outcome.out
    assert "Conv2d" not in outcome.out
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--batch", "0"], "summary: --batch is '0', expected a number of at least 1, or several: 1,32."),
        (
            ["--depth", "1", "--json"],
            "summary: --depth 1 has no effect on --json, which has every row.\n  Hint: leave it out.",
        ),
        (
            ["--size", "28,32", "--out", "page.html"],
            "summary: --out page.html has no effect on a table of several sizes.\n  Hint: leave it out.",
        ),
    ],
)
def test_options_without_effect_are_refused(cli: Cli, options, message):
    outcome = cli("summary", "lenet5", *options)
    assert (outcome.status, outcome.out, outcome.err) == (1, "", f"lenrek: {message}\n")


def test_what_was_found_before_it_stopped_is_shown(cli: Cli, monkeypatch):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(10, 2))
    found = subject.Subject("broken", lambda: network, (3, 8, 8), trained=True)
    monkeypatch.setattr(subject, "find_subject", lambda *_: found)
    outcome = cli("summary", "broken")
    assert outcome.status == 1
    assert "0  Conv2d 3×3" in outcome.out
    assert outcome.err.startswith("lenrek: summary: stopped in module '2' (Linear) given (1, 144), at aten.addmm")
    assert json.loads(cli("summary", "broken", "--json").out)["complete"] is False

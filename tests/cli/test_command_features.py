"""`lenrek features` and `lenrek map`: what they print, write and refuse; their parts of `lenrek explain`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import Cli

import lenrek
from lenrek.explain import filters, latent_map, sample_vectors, strongest_patches


def test_filters_alone(cli: Cli, run: Path) -> None:
    outcome = cli("features", run, "--steps", 0)
    assert (outcome.status, outcome.err) == (0, "")
    found = filters(lenrek.load(run))
    first = outcome.out.splitlines()[2].split()
    assert first == [str(found.order[0]), f"{found.norms[found.order[0]]:.4g}"]


def test_everything_on_one_page(cli: Cli, run: Path, folders: Path, tmp_path: Path) -> None:
    page = tmp_path / "features.html"
    options = ("--data", folders, "--layer", "features.3", "--channels", "2,0", "--steps", 3, "--seed", 1)
    outcome = cli("features", run, *options, "--out", page, "--json")
    assert outcome.status == 0, outcome.err
    told = json.loads(outcome.out)
    patches = strongest_patches(lenrek.load(run), folders, "features.3", [2, 0])
    assert told["patches"]["channels"] == patches.to_dict()["channels"]
    assert [one["objective"] for one in told["synthesised"]] == ["channel 0 of features.3", "channel 2 of features.3"]
    assert [layer["layer"] for layer in told["health"]["layers"]][:2] == ["features.0", "features.3"]
    assert told["filters"]["filters"] == 16
    written = page.read_text()
    for heading in ("Filters of features.3", "A sample", "What features.3 computes", "What excites channels",
                    "Synthesised inputs", "Filters that do nothing"):  # fmt: skip
        assert heading in written
    assert "<script" not in written
    printed = cli("features", run, *options)
    row = next(line for line in printed.out.splitlines() if line.strip().startswith("2 "))
    assert f"{patches.found[2][0].value:.4g}" in row


def test_a_map_of_data(cli: Cli, run: Path, folders: Path, tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    outcome = cli("map", run, folders, "--neighbours", 3, "--out", page, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    told = json.loads(outcome.out)
    found = latent_map(sample_vectors(lenrek.load(run), folders).vectors, neighbours=3)
    assert np.array(told["points"]) == pytest.approx(found.points, abs=1e-5)
    assert told["trustworthiness"] == pytest.approx(found.trustworthiness)
    assert (sorted(set(told["labels"])), len(told["names"])) == (["above", "below"], 16)
    written = page.read_text()
    assert written.count("<circle") == 16 + 2
    assert "Trustworthiness" in written
    assert "<image" in written
    assert "trustworthiness" in cli("map", run, folders).out


def test_a_map_of_a_store(cli: Cli, run: Path, folders: Path, tmp_path: Path) -> None:
    pytest.importorskip("lancedb")
    store = tmp_path / "store"
    assert cli("index", folders, "--model", run, "--out", store).status == 0
    outcome = cli("map", store, "--out", tmp_path / "map.svg", "--json")
    assert outcome.status == 0, outcome.err
    told = json.loads(outcome.out)
    assert len(told["points"]) == 16
    assert "above/00.png" in told["names"]
    assert (tmp_path / "map.svg").read_text().count("<image") >= 1
    refused = cli("map", store, "--layer", "features.0")
    assert "--layer features.0 has no effect on a store" in refused.err


def test_features_on_the_page_of_explain(cli: Cli, run: Path, folders: Path, tmp_path: Path) -> None:
    page = tmp_path / "explain.html"
    outcome = cli("explain", run, folders / "above/00.png", "--method", "grad-cam", "--out", page, "--json")
    assert outcome.status == 0, outcome.err
    told = json.loads(outcome.out)
    assert told["filters"]["layer"] == "features.0"
    (sample,) = told["samples"]
    assert sample["features"]["field"]["layer"] == sample["features"]["maps"]["layer"]
    assert "Blue: the" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("features", "RUN", "--out", "a.png"), "features: --out is a.png, expected a name that ends in .html."),
        (("features", "RUN", "--samples", 3), "features: --samples has no effect without --data."),
        (("features", "RUN", "--steps", 0, "--seed", 3), "features: --seed has no effect with --steps 0."),
        (("features", "RUN", "--channels", "0,99"), "features: --channels names 99, expected 0 to 5."),
        (("features", "RUN", "--layer", "feature.0"),
         "features: the network has no layer 'feature.0'.\n  Hint: did you mean features.0?"),
        (("map", "RUN", "nowhere"), "open_source: there is no nowhere."),
        (("map", "RUN", "digits", "--method", "tsne", "--samples", 8),
         "latent_map: method is 'tsne', expected 'pca' or 'umap'."),
        (("map", "RUN", "digits", "--out", "a.png"),
         "map: --out is a.png, expected a name that ends in .svg or .html."),
    ],
)  # fmt: skip
def test_what_is_refused(cli: Cli, run: Path, arguments: tuple[object, ...], message: str) -> None:
    outcome = cli(*(run if one == "RUN" else one for one in arguments))
    assert (outcome.status, outcome.out) == (1, "")
    assert message in outcome.err
    assert "Traceback" not in outcome.err

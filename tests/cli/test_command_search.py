"""`lenrek index`, `search`, `search-eval` and `duplicates`: from a folder to what is alike in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from commands import Cli

pytest.importorskip("lancedb")


@pytest.fixture
def photos(folders: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folders, tmp_path / "photos"))


@pytest.fixture
def store(cli: Cli, run: Path, photos: Path, tmp_path: Path) -> Path:
    outcome = cli("index", photos, "--model", run, "--out", tmp_path / "store")
    assert outcome.status == 0, outcome.err
    return tmp_path / "store"


def test_index_says_what_it_did(cli: Cli, run: Path, photos: Path, tmp_path: Path) -> None:
    (photos / "above/broken.jpg").write_bytes(b"\xff\xd8\xff")
    outcome = cli("index", photos, "--model", run, "--out", tmp_path / "store", "--pca", 0, "--json")
    found = json.loads(outcome.out)
    assert (outcome.status, found["rows"], found["added"]) == (0, 16, 16)
    assert "above/broken.jpg" in outcome.err
    assert "1 damaged sample is left out." in outcome.err
    again = cli("index", "build", photos, "--out", tmp_path / "store")
    assert again.out.splitlines()[0] == "0 added, 0 changed, 0 removed, 16 unchanged"


def test_search_finds_itself_first(cli: Cli, store: Path, photos: Path) -> None:
    outcome = cli("search", store, photos / "above/03.png", "-k", 2, "--where", "label = 'above'")
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0].split() == ["similarity", "label", "file"]
    assert lines[2].split() == ["1.000", "above", "above/03.png"]
    assert len(lines) == 4


def test_many_queries_as_json_lines(cli: Cli, store: Path, photos: Path) -> None:
    outcome = cli("search", store, photos / "below", "-k", 3, "--json")
    answers = [json.loads(line) for line in outcome.out.splitlines()]
    assert [answer["hits"][0]["path"] for answer in answers] == [f"below/{i:02}.png" for i in range(8)]
    assert {len(answer["hits"]) for answer in answers} == {3}


def test_a_page_with_pictures(cli: Cli, store: Path, photos: Path, tmp_path: Path) -> None:
    page = tmp_path / "found.html"
    outcome = cli("search", store, photos / "above/00.png", "-k", 3, "--html", page, "--why")
    assert outcome.status == 0
    text = page.read_text()
    assert text.count("<img") in (4, 7)  # with the places that made them alike, where the layer has places
    assert "http" not in text.replace("http-equiv", "")
    refused = cli("search", store, photos / "above/00.png", "--why")
    assert (refused.status, refused.out) == (1, "")
    assert "--why has no effect without --html" in refused.err


def test_update_and_remove(cli: Cli, store: Path, photos: Path) -> None:
    (photos / "above/00.png").unlink()
    shutil.copy(photos / "below/01.png", photos / "below/copy.png")
    assert cli("index", "update", store).out.splitlines()[0] == "1 added, 0 changed, 1 removed, 15 unchanged"
    assert cli("index", "remove", store, "below").out == "9 images removed, 7 left\n"
    assert json.loads(cli("index", "remove", store, "--where", "label = 'above'", "--json").out)["removed"] == 7


def test_how_good_it_is(cli: Cli, store: Path) -> None:
    outcome = cli("search-eval", store, "--expand", 3, "-k", 2, "--json")
    found = json.loads(outcome.out)
    assert [row["name"] for row in found["rows"]] == ["embedding", "expanded by 3", "32×32 pixels", "chance"]
    assert (found["queries"], found["among"]) == (16, 15)
    assert found["rows"][-1]["mean_average_precision"] == pytest.approx(7 / 15)
    printed = cli("search-eval", store).out
    assert printed.splitlines()[-1] == "16 images asked, each among 15 others"


def test_duplicates(cli: Cli, store: Path, photos: Path) -> None:
    shutil.copy(photos / "below/01.png", photos / "above/liar.png")
    cli("index", "update", store)
    outcome = cli("duplicates", store, "--threshold", 1, "--odd", 2, "--json")
    found = json.loads(outcome.out)
    first = found["groups"][0]
    assert (first["paths"], first["exact"], first["conflicting"]) == (["above/liar.png", "below/01.png"], True, True)
    assert len(found["outliers"]) == 2
    assert "above/liar.png = below/01.png" in cli("duplicates", store, "--threshold", 1).out


def test_bad_input(cli: Cli, store: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    for arguments, said in (
        (("search", tmp_path / "none", photos / "above"), "open_store: there is no store in"),
        (("search", store, tmp_path / "text.jpg"), "text.jpg: not an image"),
        (("search", store, photos / "above", "--where", "colour = 1"), "No field named colour"),
        (("index", photos, "--out", tmp_path / "new"), "index: a new store needs a model."),
        (("index", photos, "--out", store, "--pooling", "max"), "was made with other options"),
        (("index", photos, "--out", store, "--pooling", "sum"), "pooling is 'sum', expected one of"),
        (("index", "remove", store), "remove: nothing was said to be removed"),
    ):
        outcome = cli(*arguments)
        assert (outcome.status, outcome.out) == (1, ""), arguments
        assert said in outcome.err
        assert "Traceback" not in outcome.err


def test_an_approximate_index(cli: Cli, store: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = cli("index", "approximate", store)
    assert (outcome.status, outcome.out) == (1, "")
    assert "holds 16 rows, an approximate index takes at least 1,000." in outcome.err
    monkeypatch.setattr("lenrek.search.inverted_build.LEAST_ROWS", 10)
    outcome = cli("index", "approximate", store, "--recall", 0.9)
    assert outcome.status == 0
    lines = outcome.out.splitlines()
    assert lines[0].split() == ["nearest", "recall", "lists", "looked", "through", "rows", "compared"]
    assert lines[2].split()[0] == "15"
    found = json.loads(cli("index", "approximate", store, "--json").out)
    assert found["rows"] == 16
    assert found["measured"]["recall"] >= 0.95
    for exact in ((), ("--exact",)):
        outcome = cli("search", store, photos / "above/03.png", "-k", 1, *exact)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out.splitlines()[2].split() == ["1.000", "above", "above/03.png"]
    Path(store, "approximate/lists.safetensors").write_bytes(b"cut")
    outcome = cli("search", store, photos / "above/03.png", "-k", 1)
    assert outcome.status == 0
    assert outcome.out.splitlines()[2].split() == ["1.000", "above", "above/03.png"]
    assert "the approximate index is damaged: all rows were compared instead." in outcome.err
    assert f"Hint: lenrek index approximate {store} builds it anew." in outcome.err

"""What the Runs view is given: runs as their files tell them, curves, and the samples behind a cell."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import lenrek
from lenrek.studio.session import Session


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """A folder with a finished run on the digits."""
    folder = tmp_path_factory.mktemp("runs")
    lenrek.train("digits", out=folder / "first", epochs=1, batch_size=256, precision="fp32", test=0.1, progress=False)
    return folder


@pytest.fixture(scope="module")
def client(serve, runs):
    with serve(Session(None, runs=runs)).client() as client:
        yield client


def test_a_finished_run(client, runs):
    (listed,) = client.get("/api/runs/list").json()["runs"]
    stored = json.loads((runs / "first" / "evaluation.json").read_text())
    assert (listed["name"], listed["state"], listed["epochs"], listed["planned"]) == ("first", "finished", 1, 1)
    assert listed["test_accuracy"] == stored["test"]["accuracy"]
    one = client.get("/api/runs/one", params={"run": "first"}).json()
    assert one["evaluations"] == stored
    assert one["config"]["data"] == "digits"
    assert [chart["title"] for chart in one["charts"]] == ["Loss", "Accuracy", "Learning rate", "Images per second"]
    assert one["charts"][0]["svg"].startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    drawing = client.get("/api/runs/compared", params={"column": "validation_loss"}).json()["svg"]
    assert "first" in drawing


def test_a_cell_holds_the_samples_that_it_counts(client, runs):
    confusion = np.array(json.loads((runs / "first" / "evaluation.json").read_text())["test"]["confusion"])
    classifier, source = lenrek.load(runs / "first"), lenrek.open_source("digits")
    right = np.diag(confusion.diagonal())
    for cells in (right, confusion - right):
        truth, said = (int(place) for place in np.unravel_index(cells.argmax(), cells.shape))
        found = client.get("/api/runs/cell", params={"run": "first", "truth": truth, "said": said}).json()
        assert found["count"] == len(found["samples"]) == confusion[truth, said]
        sure = [one["posterior"] for one in found["samples"]]
        assert sure == sorted(sure, reverse=True)
        index = found["samples"][0]["index"]
        (prediction,) = classifier.predict(source.reader.x[[index]])
        assert (source.labels[index], int(prediction.label)) == (truth, said)
        assert prediction.confidence == pytest.approx(sure[0], abs=1e-5)
    picture = client.get("/api/runs/picture", params={"run": "first", "index": index})
    assert picture.headers["content-type"] == "image/png"


def test_the_report_may_run_nothing(client):
    answer = client.get("/api/runs/report", params={"run": "first"})
    assert answer.text.startswith("<!doctype html>")
    policy = answer.headers["content-security-policy"]
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert "sandbox" in policy


def test_only_runs_of_the_folder_can_be_named(client, runs):
    (runs.parent / "secret").mkdir(exist_ok=True)
    shutil.copy(runs / "first" / "metrics.jsonl", runs.parent / "secret" / "metrics.jsonl")
    for name in ("../secret", "first/../../secret", str(runs.parent / "secret"), "", "."):
        for route in ("one", "report", "stamp"):
            answer = client.get(f"/api/runs/{route}", params={"run": name})
            assert answer.json() == {"error": f"studio: there is no run {name!r} here."}


def test_links_out_of_the_folder_are_no_runs(serve, runs, tmp_path):
    os.symlink(runs / "first", tmp_path / "link")
    with serve(Session(None, runs=tmp_path)).client() as client:
        assert client.get("/api/runs/list").json() == {"runs": []}


def test_a_run_that_goes_on_and_one_that_is_damaged(serve, runs, tmp_path):
    going = tmp_path / "going"
    going.mkdir()
    rows = [{"epoch": 1, "train_loss": 2.0, "validation_accuracy": 0.25}]
    (going / "metrics.jsonl").write_text(json.dumps(rows[0]) + "\n")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "metrics.jsonl").write_text('{"epoch": 1')
    with serve(Session(None, runs=tmp_path)).client() as client:
        states = {one["name"]: one["state"] for one in client.get("/api/runs/list").json()["runs"]}
        assert states == {"going": "training", "broken": "damaged"}
        before = client.get("/api/runs/stamp", params={"run": "going"}).json()["stamp"]
        (going / "metrics.jsonl").write_text("".join(json.dumps({**rows[0], "epoch": n}) + "\n" for n in (1, 2)))
        assert client.get("/api/runs/stamp", params={"run": "going"}).json()["stamp"] != before
        os.utime(going / "metrics.jsonl", (1, 1))
        assert client.get("/api/runs/stamp", params={"run": "going"}).json()["state"] == "interrupted"
        said = client.get("/api/runs/one", params={"run": "broken"}).json()["error"]
        assert said.startswith("studio: ")
        assert "metrics.jsonl cannot be read" in said


def test_a_run_on_other_data_says_what_is_missing(serve, runs, tmp_path, monkeypatch):
    from lenrek.studio.run_files import RunFiles

    monkeypatch.setattr(RunFiles, "config", {"data": "somewhere"})
    with serve(Session(None, runs=runs)).client() as client:
        answer = client.get("/api/runs/cell", params={"run": "first", "truth": 0, "said": 0})
    assert answer.json()["error"] == (
        "studio: the pictures behind a cell are those of the run's data, somewhere, which was not named at the "
        "start.\n  Hint: lenrek studio … --data DATA."
    )


def test_files_that_lead_out_of_a_run_are_not_read(serve, tmp_path):
    (tmp_path / "secret.html").write_text("secret")
    run = tmp_path / "runs" / "run"
    run.mkdir(parents=True)
    (run / "metrics.jsonl").write_text(json.dumps({"epoch": 1}) + "\n")
    os.symlink(tmp_path / "secret.html", run / "report.html")
    with serve(Session(None, runs=tmp_path / "runs")).client() as client:
        answer = client.get("/api/runs/report", params={"run": "run"})
        assert answer.status_code == 400
        assert answer.json()["error"].endswith("report.html leads out of its run.")

"""The Map view's JSON against what the library computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lenrek
from lenrek.explain import latent_map, sample_vectors
from lenrek.studio.session import Session


@pytest.fixture(scope="module")
def served(serve):
    return serve(Session("lenet5", "digits"))


def test_points_are_those_of_the_library(served):
    with served.client() as client:
        assert client.get("/api/map/about").json() == {"of": ["data"]}
        told = client.get("/api/map/points", params={"of": "data", "samples": 60}).json()
    found = sample_vectors(served.session.classifier, "digits", limit=60)
    plane = latent_map(found.vectors)
    assert np.stack([told["x"], told["y"]], 1) == pytest.approx(plane.points, abs=1e-4)
    assert told["ids"] == [f"data-{index}" for index in found.index]
    assert [told["labels"][at]["name"] for at in told["label"]] == list(found.labels)
    assert told["caption"] == plane.caption
    assert len({label["colour"] for label in told["labels"]}) == 10


def test_the_drawing_and_what_is_refused(served):
    with served.client() as client:
        drawn = client.get("/api/map/map.svg", params={"of": "data", "samples": 60})
        assert drawn.text.count("<circle") == 60 + 10
        assert "sandbox" in drawn.headers["content-security-policy"]
        refused = client.get("/api/map/points", params={"of": "store"})
        assert refused.status_code == 400
        assert refused.json()["error"].startswith("studio: no store was named.")
        assert client.get("/api/map/points", params={"of": "data", "samples": 3}).status_code == 422
        assert client.get("/api/map/points", params={"of": "data", "method": "tsne"}).status_code == 422


def test_a_store(serve, tmp_path: Path):
    pytest.importorskip("lancedb")
    from PIL import Image

    drawn = np.random.default_rng(0)
    for name in ("dark", "light"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(6):
            pixels = drawn.integers(0, 90, (20, 20, 3)) + (120 if name == "light" else 0)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "data" / name / f"{i}.png")
    network = lenrek.create_model("lenet5", 2, 3)
    lenrek.index(tmp_path / "data", model=network, out=tmp_path / "store")
    session = Session(store=str(tmp_path / "store"))
    with serve(session).client() as client:
        assert client.get("/api/map/about").json() == {"of": ["store"]}
        told = client.get("/api/map/points", params={"of": "store"}).json()
    assert sorted(told["names"])[0] == "dark/0.png"
    assert [label["name"] for label in told["labels"]] == ["dark", "light"]
    vectors = session.store.vectors()
    assert told["ids"] == [f"row-{row}" for row in vectors.ids]
    plane = latent_map(vectors.unit().numpy())
    assert np.stack([told["x"], told["y"]], 1) == pytest.approx(plane.points, abs=1e-4)

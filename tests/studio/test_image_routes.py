"""What the Image view is given: posteriors, heat-maps, neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from lenrek.data.normalise import normalise
from lenrek.explain.evidence.cam import grad_cam
from lenrek.studio.session import Session


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two classes of pictures of unequal sizes."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(8):
        name = ("red", "blue")[number % 2]
        pixels = rng.integers(0, 90, (40 + number, 60, 3), dtype=np.uint8)
        pixels[..., 0 if name == "red" else 2] += 150
        (folder / name).mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def served(serve, photos):
    session = Session("lenet5", str(photos))
    classifier = session.classifier
    classifier.contract = replace(classifier.contract, fit="crop", crop_fraction=0.6)
    classifier.network.contract = classifier.contract
    return serve(session)


@pytest.fixture(scope="module")
def client(served):
    with served.client() as client:
        yield client


def test_the_prediction_is_that_of_the_file(served, client, photos):
    found = client.get("/api/image/prediction", params={"sample": "data-1"}).json()
    name = served.session.source.names[1]
    (expected,) = served.session.classifier.predict(photos / name)
    assert found["label"] == expected.label
    assert found["posterior"] == pytest.approx(expected.posterior, abs=1e-6)
    assert found["views"] is None


def test_views_are_averaged(served, client):
    query = {"sample": "data-1", "views": 2, "policy": "flip"}
    found = client.get("/api/image/prediction", params=query).json()
    session = served.session
    x = session.samples.input("data-1")
    with torch.no_grad():
        both = session.classifier.network(torch.cat([x, x.flip(-1)])).softmax(1).mean(0)
    assert list(found["views"]["posterior"].values()) == pytest.approx(both.tolist(), abs=1e-5)
    assert found["posterior"] != found["views"]["posterior"]
    refused = client.get("/api/image/prediction", params={"sample": "data-1", "views": 2}).json()["error"]
    assert refused.startswith("test-time augmentation: what this network was trained with is not known")


def test_heat_maps_are_those_of_the_library(served, client):
    session = served.session
    expected = grad_cam(session.classifier, session.samples.input("data-2"), "features.3", 1)
    query = {"sample": "data-2", "layer": "features.3", "target": 1}
    told = client.get("/api/image/evidence", params=query).json()
    assert (told["class"], told["layer"], told["signed"]) == ("red", "features.3", False)
    np.testing.assert_allclose(told["cells"], expected.cells[0], atol=1e-6)
    answer = client.get("/api/image/heat", params=query)
    values = np.frombuffer(answer.content, np.float32).reshape(28, 28)
    np.testing.assert_allclose(values, expected.values[0], atol=1e-6)
    followed = client.get("/api/image/faithfulness", params=query).json()
    assert followed["deletion"][0] == pytest.approx(followed["insertion"][-1], abs=1e-6)
    assert 0 <= followed["deletion_auc"] <= 1


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("method=nonsense", "class_evidence: method is 'nonsense', expected one of"),
        ("target=7", "grad_cam: "),
        ("method=occlusion&layer=features.0", "class_evidence: layer 'features.0' has no effect on occlusion"),
    ],
)
def test_bad_questions_are_answered(client, query, message):
    answer = client.get(f"/api/image/heat?sample=data-0&{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(message)


def test_neighbours(serve, photos, tmp_path):
    pytest.importorskip("lancedb")
    import lenrek

    torch.manual_seed(0)
    network = lenrek.create_model("lenet5", 2, 3).eval()
    network.contract = replace(network.contract, fit="crop", crop_fraction=0.6)
    lenrek.index(photos, model=network, out=tmp_path / "store")
    served = serve(Session("lenet5", str(photos), str(tmp_path / "store")))
    with served.client() as client:
        hits = client.get("/api/image/neighbours", params={"sample": "data-3", "count": 4}).json()["hits"]
        assert [len(hits), hits[0]["path"], hits[0]["label"]] == [4, "blue/7.png", "blue"]
        assert hits[0]["similarity"] == pytest.approx(1, abs=1e-3)  # of float16
        picture = client.get("/api/image/neighbour", params={"row": hits[0]["row"]})
        assert picture.headers["content-type"] == "image/png"
        own = (photos / "red" / "2.png").read_bytes()
        uploaded = client.post("/api/samples/upload", content=own).json()["id"]
        (nearest, *_) = client.get("/api/image/neighbours", params={"sample": uploaded}).json()["hits"]
        assert (nearest["path"], nearest["similarity"]) == ("red/2.png", pytest.approx(1, abs=1e-3))
    with serve(Session("lenet5", str(photos))).client() as client:
        said = client.get("/api/image/neighbours", params={"sample": "data-3"}).json()["error"]
    assert said.startswith("studio: no store was named.\n  Hint: lenrek index")


def test_what_the_network_sees_is_normalised_as_in_training(served):
    session = served.session
    values = torch.from_numpy(session.samples["data-4"].values)[None]
    assert torch.equal(session.samples.input("data-4"), normalise(values, session.classifier.contract))

"""What the Network view is given: layers, recordings, maps and drawings of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lenrek.studio.recording import record
from lenrek.studio.session import Session

ALL = "those of digits are data-0 to data-1796."


@pytest.fixture(scope="module")
def served(serve):
    return serve(Session("lenet5", "digits"))


@pytest.fixture(scope="module")
def client(served):
    with served.client() as client:
        yield client


def volume(answer) -> np.ndarray:
    shape = [int(n) for n in answer.headers["x-shape"].split(",")]
    return np.frombuffer(answer.content, answer.headers["x-type"]).reshape(shape)


def test_layers_have_their_cost_and_field(served, client):
    found = client.get("/api/network/layers").json()
    rows = {row["name"]: row for row in found["rows"]}
    assert (found["trained"], found["totals"]["parameters"]) == (False, 61706)
    assert rows["features.3"]["parameters"] == 6 * 16 * 25 + 16
    assert rows["features.3"]["fields"][0] == {"kind": "regular", "size": 14, "stride": 2, "start": -2, "centre": 4.5}
    assert [rows[name]["filters"] for name in ("features.0", "features.1", "classifier.1")] == [True, False, False]


def test_a_sample_is_what_the_network_sees(served, client):
    about = client.get("/api/samples/one", params={"sample": "data-17"}).json()
    assert about == {"id": "data-17", "name": "digits[17]", "label": "7", "shape": [1, 28, 28]}
    seen = volume(client.get("/api/samples/values", params={"sample": "data-17"}))
    session = served.session
    expected = session.source.reader.read(17, session.classifier.contract)
    assert seen.dtype == np.uint8
    np.testing.assert_array_equal(seen, expected)


@pytest.mark.parametrize("layer", ["features.0", "features.5", "classifier.1", ""])
def test_maps_are_what_the_layer_computes(served, client, layer):
    network = served.session.classifier.network
    contract = served.session.classifier.contract
    stored = torch.from_numpy(served.session.samples["data-5"].values)[None].double()
    x = (stored / 255 - contract.mean[0]) / contract.std[0]
    path = {"features.0": 1, "features.5": 6}
    with torch.no_grad():
        network.double()
        features = network.features[: path.get(layer, 7)](x)
        expected = {"classifier.1": network.classifier[:2](features) if layer not in path else None}.get(
            layer, features if layer in path else network(x)
        )
        network.float()
    found = volume(client.get("/api/network/maps", params={"sample": "data-5", "layer": layer}))
    np.testing.assert_allclose(found, expected[0].numpy(), rtol=1e-4, atol=1e-5)
    one = client.get("/api/network/map", params={"sample": "data-5", "layer": layer, "channel": 1}).json()
    np.testing.assert_allclose(one["values"], found[1])


def test_what_is_recorded_is_named_as_the_summary_names_it(client):
    names = client.get("/api/network/recorded", params={"sample": "data-5"}).json()["layers"]
    rows = {row["name"]: row["outputs"][0][1:] for row in client.get("/api/network/layers").json()["rows"]}
    assert names == rows


def test_a_layer_that_runs_twice_is_recorded_twice_and_before_it_is_overwritten():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.relu = nn.Conv1d(1, 1, 1), nn.ReLU(inplace=True)
            nn.init.constant_(self.scale.weight, -0.5)
            nn.init.constant_(self.scale.bias, 0.0)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.scale(self.relu(self.scale(x)))

    found = record(Twice(), torch.tensor([[[4.0, -8.0]]]))
    assert {name: values.tolist() for name, values in found.layers.items()} == {
        "scale": [[-2.0, 4.0]], "relu": [[0.0, 4.0]], "scale#2": [[0.0, -2.0]], "": [[0.0, -2.0]]
    }  # fmt: skip


def test_drawings_of_maps_and_filters(client):
    maps = client.get("/api/network/maps.svg", params={"sample": "data-5", "layer": "features.0"})
    filters = client.get("/api/network/filters.svg", params={"layer": "features.0", "scale": "own"})
    for answer, count in ((maps, 6), (filters, 6)):
        assert answer.headers["content-type"].startswith("image/svg+xml")
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.text.count("<image ") == count


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("maps?sample=data-5&layer=nonsense", "studio: there are no maps of 'nonsense'."),
        ("map?sample=data-5&layer=features.0&channel=6", "studio: channel is 6, but features.0 has 6."),
        ("maps?sample=data-1797", f"studio: there is no sample 'data-1797'; {ALL}"),
        (
            "maps?sample=/etc/passwd",
            f"studio: there is no sample '/etc/passwd'; {ALL}",
        ),
        ("maps?sample=upload-0", "studio: this image is not here any more.\n  Hint: upload it again."),
    ],
)
def test_what_is_not_there_is_said(client, path, message):
    answer = client.get(f"/api/network/{path}")
    assert (answer.status_code, answer.json()) == (400, {"error": message})


def test_without_a_network_it_is_said_how_to_name_one(serve):
    with serve(Session()).client() as client:
        answer = client.get("/api/network/layers")
    assert answer.json()["error"] == ("studio: no network was named.\n  Hint: lenrek studio MODEL, or a run's folder.")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_volumes_as_boxes(client, theme):
    answer = client.get("/api/network/picture.svg", params={"theme": theme})
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "28 × 28" in answer.text

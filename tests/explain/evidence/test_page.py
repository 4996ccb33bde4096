"""Heat-maps drawn, and the section of the page, for images, signals and volumes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import lenrek
from lenrek.drawing.colours import ABOVE, BELOW
from lenrek.explain.evidence.painted import evidence_tile, painted
from lenrek.explain.page.page import explain_samples, write_explanation
from lenrek.explain.page.question import Question, Sample


def test_colours_say_for_and_against() -> None:
    stored = np.full((3, 1, 4), 100, np.uint8)
    found = painted(stored, np.array([[-2.0, 0.0, 1.0, 4.0]]), most=2.0)
    expected = [0.2 * 100 + 0.8 * BELOW, [100] * 3, 0.6 * 100 + 0.4 * ABOVE, 0.2 * 100 + 0.8 * ABOVE]
    np.testing.assert_array_equal(found[0], np.rint(expected))
    floats = painted(np.array([[[-1.0, 0.0, 3.0]]]), np.zeros((1, 3)))
    assert floats[0, :, 0].tolist() == [0, 64, 255]


def test_a_curve_has_bands_where_it_says_something() -> None:
    values = np.zeros(1000)
    values[100:105], values[900] = 3.0, -3.0
    tile = evidence_tile(np.sin(np.arange(1000.0))[None], values, "a signal")
    bands = [
        (int(x), colour == "rgb(184,69,42)")
        for x, colour in re.findall(r'<rect x="(\d+)" y="0".*?fill="(.*?)"', str(tile.picture))
    ]
    assert [x // 10 for x, red in bands if red] == [10]
    assert [x // 10 for x, red in bands if not red] == [90]


def network_and_sample(ndim: int) -> tuple[torch.nn.Module, Sample]:
    torch.manual_seed(0)
    size = {1: (1200,), 2: (30, 34), 3: (16, 18, 20)}[ndim]
    model = lenrek.create_model("m5" if ndim == 1 else "lenet5", num_classes=3, in_channels=1, ndim=ndim)
    torch.nn.init.normal_(next(reversed([m for m in model.modules() if isinstance(m, torch.nn.Linear)])).weight)
    x = torch.rand(1, 1, *size)
    stored = (255 * x[0]).byte().numpy() if ndim > 1 else (20000 * x[0]).short().numpy()
    return model.eval(), Sample("<b>one</b>.file", stored, x, np.array([0.2, 0.5, 0.3]), 1)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_a_page(ndim: int, tmp_path: Path) -> None:
    model, sample = network_and_sample(ndim)
    classes = ("cat", "<i>dog</i>", "elk")
    contract = lenrek.InputContract(1, sample.stored.shape[1:], (0.0,), (1.0,), classes)
    methods = ("grad-cam", "integrated-gradients")
    explained = explain_samples(Question(model, contract, methods), [sample])
    told = explained.to_dict()
    json.dumps(told, allow_nan=False)
    (one,) = told["samples"]
    assert (one["file"], one["label"], one["target"]) == ("<b>one</b>.file", "<i>dog</i>", "<i>dog</i>")
    assert [found["method"] for found in one["evidence"]["methods"]] == list(methods)
    assert np.array(one["evidence"]["methods"][0]["cells"]).ndim == ndim
    write_explanation(tmp_path / "page.html", explained, "A title")
    page = (tmp_path / "page.html").read_text()
    assert "<b>one" not in page
    assert "<i>dog" not in page
    assert "&lt;b&gt;one&lt;/b&gt;.file" in page
    assert "50.0 %" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "<script" not in page
    for method in methods:
        assert f"<strong>{method}</strong>: " in page
    assert page.count("deletion 0.") == page.count("insertion 0.") == 4  # each as text, and for screen readers
    assert ("Slices 0, 2, 4," in page) == (ndim == 3)


def test_a_method_that_cannot_be_had_is_said() -> None:
    _, sample = network_and_sample(2)
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(30 * 34, 3)).eval()
    contract = lenrek.InputContract(1, (30, 34), (0.0,), (1.0,), ("a", "b", "c"))
    explained = explain_samples(Question(flat, contract, ("grad-cam", "occlusion")), [sample])
    ((_, (section, *_)),) = explained.samples
    assert section.words == (
        "No grad-cam: no layer of Sequential has features that stand at a place of the input; each sees all of it, or "
        "there are no axes of positions.",
    )
    assert [found["method"] for found in section.data["methods"]] == ["occlusion"]

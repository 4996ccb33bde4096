"""`lenrek find-convolution`: what it finds, draws and refuses."""

from __future__ import annotations

import importlib
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import torch
from commands import Cli
from torch import Tensor, nn

import lenrek
from lenrek.cli.subject import Subject
from lenrek.ops import filter_matrix

command = importlib.import_module("lenrek.cli.find_convolution")
KERNEL = torch.tensor([[[[1.0, 2.0, 3.0], [-4.0, 5.0, 6.0]]], [[[0.5, 0.0, 7.0], [8.0, 9.0, -1.0]]]])


class Disguised(nn.Module):
    """Fully connected layers that are a convolution, one but for a single weight, and none."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 1, 1)
        self.disguised = nn.Linear(5 * 7, 2 * 5 * 7)
        self.changed = nn.Linear(2 * 5 * 7, 2 * 5 * 7, bias=False)
        self.head = nn.Linear(2 * 5 * 7, 4)
        matrix = filter_matrix(KERNEL, (5, 7), padding=((1, 0), (0, 2))).to_dense()
        changed = torch.eye(70)
        changed[40, 3] = 0.5
        with torch.no_grad():
            self.disguised.weight.copy_(matrix)
            self.disguised.bias.copy_(torch.tensor([1.5, -2.0]).repeat_interleave(35))
            self.changed.weight.copy_(changed)

    def forward(self, x: Tensor) -> Tensor:
        x = self.disguised(self.first(x).flatten(1)).reshape(-1, 2, 5, 7).relu()
        return self.head(self.changed(x.flatten(1)))


@pytest.fixture
def disguised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_subject", lambda *_: Subject("net", Disguised, (3, 5, 7), trained=True))


@pytest.mark.usefixtures("disguised")
def test_all_layers(cli: Cli) -> None:
    outcome = cli("find-convolution", "net", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    first, second, head = map(json.loads, outcome.out.splitlines())
    assert (first["name"], first["in_shape"], first["is_convolution"]) == ("disguised", [1, 5, 7], True)
    torch.testing.assert_close(torch.tensor(first["weight"]), KERNEL)
    assert first["bias"] == [1.5, -2]
    assert (first["padding"], first["stride"], first["boundary"]) == ([[1, 0], [0, 2]], [1, 1], "zeros")
    assert (second["in_shape"], second["is_convolution"]) == ([2, 5, 7], False)
    assert (second["worst"]["output"], second["worst"]["input"]) == ([1, 0, 5], [0, 0, 3])
    assert head == {
        "name": "head", "type": "Linear", "in_shape": [1, 70], "why_not": "none: 70 inputs without axes, and 4 outputs"
    }  # fmt: skip
    rows = cli("find-convolution", "net").out.splitlines()[2:]
    assert rows[0].split(maxsplit=2)[:2] == ["disguised", "1×5×7"]
    assert rows[0].endswith("a convolution: kernel 2×3, padding ((1, 0), (0, 2)), boundary zeros")
    assert "most where output (1, 0, 5) reads input (0, 0, 3) with weight 0.5 instead of 0" in rows[1]


@pytest.mark.usefixtures("disguised")
def test_one_layer_and_its_picture(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("find-convolution", "net", "--layer", "disguised", "--out", tmp_path / "kernel.svg")
    assert outcome.out == "a convolution: kernel 2×3, padding ((1, 0), (0, 2)), boundary zeros\n"
    fills = [
        one.get("fill") for one in ElementTree.parse(tmp_path / "kernel.svg").iter("{http://www.w3.org/2000/svg}rect")
    ]
    weights = [fill for fill in fills if fill != "none"]
    assert len(weights) == KERNEL.numel()
    assert (weights[10], weights[7]) == ("#b8452a", "#ffffff")  # 9, the largest, and 0
    cli("find-convolution", "net", "--layer", "changed", "--out", tmp_path / "kernel.html")
    assert (tmp_path / "kernel.html").read_text().count("<svg") == 2  # and where it deviates
    again = json.loads(cli("find-convolution", "net", "--layer", "changed", "--tolerance", 0.1, "--json").out)
    assert (again["is_convolution"], again["tolerance"]) == (True, 0.1)
    assert json.loads(cli("find-convolution", "net", "--layer", "first", "--json").out)["in_shape"] == [3, 5, 7]
    smaller = json.loads(cli("find-convolution", "net", "--layer", "first", "--input", "3x4x2", "--json").out)
    assert (smaller["in_shape"], smaller["is_convolution"]) == ([3, 4, 2], True)
    head = json.loads(
        cli("find-convolution", "net", "--layer", "head", "--input", "2x5x7", "--output", "4x1x1", "--json").out
    )
    assert (head["is_convolution"], head["kernel_size"]) == (True, [5, 7])  # a window as large as the volume


def test_a_run(cli: Cli, run: Path) -> None:
    found = [json.loads(line) for line in cli("find-convolution", run, "--json").out.splitlines()]
    linears = [name for name, part in lenrek.load(run).network.named_modules() if isinstance(part, nn.Linear)]
    assert [one["name"] for one in found] == linears
    assert len(found[0]["in_shape"]) == 3  # before it was flattened


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--stride", 2), "find-convolution: --stride 2 has no effect on all layers.\n  Hint: name one by --layer."),
        (("--layer", "head", "--input", "2x5"),
         "find_convolution: the matrix is (4, 70), but from (2, 5) to (1, 5) it has 1 · 5 = 5 rows and 2 · 5 = 10 "
         "columns.\n  Hint: pass out_shape=(channels, *size)."),
        (("--layer", "head", "--output", "4,1"),
         "find-convolution: --output is '4,1', expected a whole number for each axis, joined by 'x': 64x96."),
        (("--layer", "haed"), "find_convolution: the network has no layer 'haed'.\n  Hint: did you mean head?"),
        (("--layer", "first", "--out", "kernel.png"),
         "find-convolution: --out is kernel.png, expected a name that ends in .svg or .html."),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("disguised")
def test_what_is_refused(cli: Cli, options: tuple[object, ...], message: str) -> None:
    outcome = cli("find-convolution", "net", *options)
    assert (outcome.status, outcome.out, outcome.err) == (1, "", f"lenrek: {message}\n")

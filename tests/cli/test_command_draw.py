"""`lenrek draw`: what it writes, prints and refuses."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from commands import Cli
from PIL import Image


def test_a_convolution_in_every_format(cli: Cli, tmp_path: Path) -> None:
    options = ("--input", "4x3", "--kernel", "3x2", "--stride", "2,1", "--padding", "same", "--dilation", "1,2",
               "--boundary", "reflect")  # fmt: skip
    for name, more in (
        ("one.svg", ("--step", 1)),
        ("all.svg", ("--animate", "--seconds", 0.5)),
        ("one.png", ("--theme", "dark")),
        ("all.gif", ("--seconds", 0.5)),
        ("all.html", ("--show", "both")),
    ):
        outcome = cli("draw", "convolution", *options, *more, "--out", tmp_path / name)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out == (
            "rows ⌊(1 + 4 + 1 − 1·(3 − 1) − 1) / 2⌋ + 1 = 2\n"
            "columns ⌊(1 + 3 + 1 − 2·(2 − 1) − 1) / 1⌋ + 1 = 3\n"
            f"6 steps, drawn in {tmp_path / name}\n"
        )
    assert ElementTree.parse(tmp_path / "one.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert "@keyframes" in (tmp_path / "all.svg").read_text()
    assert Image.open(tmp_path / "all.gif").n_frames == 6
    page = (tmp_path / "all.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page


def test_json_has_the_numbers(cli: Cli) -> None:
    outcome = cli(
        "draw", "convolution", "--samples", "1,2,3;4,5,6", "--weights", "1,-1", "--padding", "0+1,1", "--json"
    )
    told = json.loads(outcome.out)
    padded = np.pad([[1, 2, 3], [4, 5, 6]], ((0, 1), (1, 1)))
    assert told["output"] == [(padded[:, :-1] - padded[:, 1:]).tolist()]
    assert (told["operation"], told["out_shape"], told["out"]) == ("correlate", [1, 3, 4], None)
    flipped = json.loads(
        cli("draw", "convolution", "--samples", "1,2,4", "--weights", "1,-1", "--convolve", "--json").out
    )
    assert flipped["output"] == [[1.0, 2.0]]


def test_transposed_and_pooling(cli: Cli, tmp_path: Path) -> None:
    told = json.loads(cli("draw", "transposed", "--samples", "1,2", "--weights", "1,0,-1", "--stride", 2, "--json").out)
    assert told["output"] == [[1.0, 0.0, 1.0, 0.0, -2.0]]
    grouped = ("--in-channels", 2, "--out-channels", 4, "--groups", 2, "--input", "3", "--output-padding", "1")
    told = json.loads(cli("draw", "transposed", *grouped, "--stride", 2, "--json").out)
    assert (np.shape(told["kernel"]), told["out_shape"]) == ((2, 2, 3), [4, 8])
    np.save(tmp_path / "x.npy", np.arange(12.0).reshape(2, 6))
    outcome = cli("draw", "pooling", "--samples", tmp_path / "x.npy", "--kernel", 2, "--kind", "average")
    assert outcome.out.splitlines()[1:] == ["   0.5    2.5    4.5", "   6.5    8.5   10.5"]
    told = json.loads(cli("draw", "pooling", "--samples", "3,4", "--kernel", 2, "--kind", "norm", "--json").out)
    assert told["output"] == [[5.0]]


def test_a_network(cli: Cli, tmp_path: Path, run: Path) -> None:
    outcome = cli("draw", "network", "lenet5", "--size", 28, "--out", tmp_path / "lenet.svg")
    assert (outcome.status, outcome.out) == (0, f"9 volumes, drawn in {tmp_path / 'lenet.svg'}\n")
    told = json.loads(cli("draw", "network", "m5", "--depth", 1, "--json").out)
    assert told["volumes"][0]["shape"] == [3, 8000]
    outcome = cli("draw", "network", run)
    assert outcome.status == 0
    assert outcome.out.splitlines()[0].split()[1] == "input"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("convolution", "--out", "x.bmp"), "expected a name that ends in .svg, .gif, .png or .html"),
        (("convolution", "--input", "70x70"), "x 1 × 70 × 70 = 4,900 cells, expected at most 4,000"),
        (("convolution", "--input", "3", "--kernel", "5"), "the window covers 1·(5 − 1) + 1 = 5 samples"),
        (("convolution", "--boundary", "wrap", "--padding", "1"), 'did you mean "circular"?'),
        (("convolution", "--step", "1"), "--step has no effect without --out"),
        (("convolution", "--samples", "1,2;3"), "--samples is '1,2;3', expected numbers joined by commas"),
        (("convolution", "--samples", "1,2", "--input", "3"), "--input 3 has no effect beside --samples"),
        (("convolution", "--kernel", "3x3x3"), "--kernel 3x3x3 is for 3 axes, but the input has 2"),
        (
            ("transposed", "--in-channels", "2", "--out-channels", "3", "--groups", "2"),
            "--out-channels 3 in 2 groups gives 3/2, expected a whole number.",
        ),
        (("pooling", "--kernel", "1x2x2"), "--kernel 1x2x2 is for 3 axes, but the input has 2"),
        (("pooling", "--kernel", "two"), "draw: --kernel is 'two', expected a whole number for each axis"),
        (("convolution", "--in-channels", "3", "--groups", "2"), "--in-channels 3 in 2 groups gives 3/2"),
        (("convolution", "--show", "sound"), "show is 'sound', expected numbers, colours or both"),
        (("transposed", "--boundary", "2", "--padding", "1"), "only linear maps have an adjoint"),
        (("transposed", "--output-padding", "1"), "expected less than max(stride, dilation)"),
        (("convolution", "--out", "none/x.svg"), "none/x.svg cannot be written: No such file or directory."),
        (("convolution", "--samples", "bad.npy"), "bad.npy is no NumPy file, or holds objects instead of numbers"),
        (("pooling", "--samples", "one.npy"), "one.npy holds a number without axes, expected (channels, *size)."),
        (("pooling", "--kind", "min"), "kind is 'min', expected max, average or norm"),
        (("pooling", "--norm", "3"), 'norm_type 3.0 has no effect on kind="max"'),
        (("network", "lenet6"), "lenet6"),
        (("network", "lenet5", "--out", "x.gif"), "nothing to animate"),
    ],
)
def test_what_is_refused(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments, message) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.npy").write_bytes(b"no array")
    np.save("one.npy", np.float64(3))
    outcome = cli("draw", *arguments)
    assert (outcome.status, outcome.out) == (1, "")
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert list(tmp_path.glob("x.*")) == []

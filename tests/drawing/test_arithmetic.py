"""Convolution arithmetic as it is drawn: the numbers on paper are those of plain loops, and each cell is there once."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from PIL import Image
from pooling_cases import cases
from strategies import problems

import oracles
from lenrek import ops
from lenrek.drawing.arithmetic.convolution import work_convolution
from lenrek.drawing.arithmetic.draw import draw_convolution, draw_pooling, draw_transposed
from lenrek.drawing.arithmetic.pooling import work_pooling
from lenrek.drawing.arithmetic.transposed import work_transposed
from lenrek.drawing.arithmetic.values import written
from lenrek.drawing.scene.as_gif import FINER, as_image
from lenrek.errors import OptionError, ShapeError

SVG = "{http://www.w3.org/2000/svg}"
LINEAR = ("zeros", "reflect", "symmetric", "replicate", "circular")


def worked(work, *arguments, **options):
    """Those of the problems that have a size for a picture."""
    try:
        return work(*arguments, **options)
    except ShapeError as error:
        assume("expected at most" not in str(error))
        raise


def check_steps(work) -> None:
    """Every step's terms are cells that are drawn, and make its value."""
    for step in work.steps:
        terms = [work.x[term.cell] * term.weight for term in step.terms]
        assert all(work.x[term.cell] == term.sample for term in step.terms)
        assert all(work.weight[term.tap] == term.weight for term in step.terms)
        bias = 0.0 if work.bias is None else work.bias[step.output[0]]
        assert sum(terms) + bias == pytest.approx(work.y[step.output])
        assert {term.cell[0] for term in step.terms} <= set(work.channels_of(step.output[0]))
        for term in step.terms:
            assert all(i in covered for i, covered in zip(term.cell[1:], step.covers, strict=True))


@settings(max_examples=60, deadline=None)
@given(problems(ndims=(1, 2, 3)))
def test_a_convolution_is_that_of_plain_loops(p):
    x, weight, bias = p.x[:1].numpy(), p.weight.numpy(), None if p.bias is None else p.bias.numpy()
    expected = oracles.correlate(x, weight, bias, p.stride, p.sides, p.dilation, p.groups, p.boundary)
    work = worked(work_convolution, x[0], weight, bias, **p.options)
    np.testing.assert_allclose(work.y, expected[0], atol=1e-12)
    check_steps(work)
    flipped = worked(
        work_convolution, x[0], np.flip(weight, range(2, weight.ndim)), bias, operation="convolve", **p.options
    )
    np.testing.assert_allclose(flipped.y, expected[0], atol=1e-12)
    check_steps(flipped)
    torch.testing.assert_close(torch.from_numpy(work.y), ops.correlate(p.x[0], p.weight, p.bias, **p.options))
    padded = [range(-before, n + after) for n, (before, after) in zip(x.shape[2:], p.sides, strict=True)]
    for index, position in zip(np.ndindex(*work.kinds.shape), product(*padded), strict=True):
        np.testing.assert_array_equal(work.x[(..., *index)], oracles.sample(x[0], position, p.boundary))


@settings(max_examples=60, deadline=None)
@given(problems(ndims=(1, 2, 3), boundaries=LINEAR))
def test_a_transposed_convolution_is_the_transposed_matrix(p):
    weight, size = p.weight.numpy(), p.x.shape[2:]
    matrix = oracles.filter_matrix(weight, size, p.stride, p.sides, p.dilation, p.groups, p.boundary)
    out = [
        (n + sum(sides) - d * (k - 1) - 1) // s + 1
        for n, sides, d, k, s in zip(size, p.sides, p.dilation, weight.shape[2:], p.stride, strict=True)
    ]
    extra = [
        n - ((m - 1) * s - sum(sides) + d * (k - 1) + 1)
        for n, m, sides, d, k, s in zip(size, out, p.sides, p.dilation, weight.shape[2:], p.stride, strict=True)
    ]
    y = np.random.default_rng(5).standard_normal((len(weight), *out))
    work = worked(work_transposed, y, weight, output_padding=extra, **p.options)
    np.testing.assert_allclose(work.y.ravel(), matrix.T @ y.ravel(), atol=1e-12)
    check_steps(work)
    np.testing.assert_array_equal(work.x[:, work.kinds == "input"].reshape(y.shape), y)
    assert not work.x[:, work.kinds != "input"].any()
    flipped = worked(
        work_transposed,
        y,
        np.flip(weight, range(2, weight.ndim)),
        operation="convolve",
        output_padding=extra,
        **p.options,
    )
    np.testing.assert_allclose(flipped.y, work.y, atol=1e-12)
    check_steps(flipped)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_a_pooling_is_that_of_plain_loops(case):
    x = case.x[0]
    assume(x.ndim <= 4)
    kernel, stride, sides, dilation, boundary, ceil_mode = case[1:]
    options = {"stride": stride, "padding": sides, "dilation": dilation, "ceil_mode": ceil_mode, "boundary": boundary}
    try:
        largest = np.stack([oracles.max_pool(channel, *case[1:])[0] for channel in x])
    except IndexError:  # a window without any sample
        for kind in ("max", "average"):
            with pytest.raises(ShapeError, match="holds no sample of x"):
                work_pooling(x, kernel, kind=kind, **options)
        return
    means = np.stack([oracles.average_pool(channel, *case[1:])[0] for channel in x])
    for kind, expected in (("max", largest), ("average", means)):
        work = worked(work_pooling, x, kernel, kind=kind, **options)
        np.testing.assert_allclose(work.y, expected, atol=1e-12)
        for step in work.steps:
            assert all(work.x[term.cell] == term.sample for term in step.terms)
            assert kind == "average" or step.terms[step.chosen].sample == step.value
    if boundary != "ignore":
        expected = np.stack([oracles.lp_pool(channel, 3.0, *case[1:]) for channel in x])
        np.testing.assert_allclose(work_pooling(x, kernel, kind="norm", norm_type=3.0, **options).y, expected)


def drawn(svg: str) -> tuple[list, list]:
    """(class, x, y, width, height) of every box, and (text, x, y) of every line of words."""
    root = ElementTree.fromstring(svg)
    boxes = [
        (rect.get("class"), *(float(rect.get(name)) for name in ("x", "y", "width", "height")))
        for rect in root.iter(f"{SVG}rect")
        if rect.get("x")
    ]
    texts = [("".join(text.itertext()), float(text.get("x")), float(text.get("y"))) for text in root.iter(f"{SVG}text")]
    return boxes, texts


def number_in(box, texts) -> str:
    """What stands in a box: the text whose middle is the box's."""
    _, x, y, width, height = box
    found = [text for text, tx, ty in texts if abs(tx - x - width / 2) < 0.02 and y < ty < y + height]
    assert len(set(found)) <= 1, found
    return found[0] if found else ""


@pytest.mark.parametrize(
    ("x", "weight", "options"),
    [
        ((7, 5), (3, 2), {"stride": (2, 1), "padding": "same", "dilation": (1, 2), "boundary": "reflect"}),
        ((2, 4, 5), (4, 1, 2, 3), {"groups": 2, "padding": ((1, 0), (0, 2)), "boundary": -3.0}),
        ((2, 9), (3, 2, 4), {"stride": 2, "padding": 1}),
        ((3, 4, 5), (2, 3, 2), {"stride": (1, 2, 3), "padding": (1, 0, 2), "boundary": "circular"}),
    ],
)
def test_the_picture_shows_each_cell_once_with_its_number(x, weight, options):
    drawing = draw_convolution(x, weight, **options)
    work = work_convolution(x, weight, **options)
    step = drawing.num_steps // 3
    boxes, texts = drawn(drawing.to_svg(step))
    for roles, values in ((("input", "padding"), work.x), (("output",), work.y)):
        found = [box for box in boxes if box[0] in roles]
        assert len(found) == values.size == len({box[1:3] for box in found})
        # Sorted as they are read: channels and rows from above, slices and columns from the left.
        numbers = sorted(written(float(value)) for value in values.ravel())
        assert sorted(number_in(box, texts) for box in found) == numbers
    (current,) = (box for box in boxes if box[0] == "current")
    assert number_in(current, texts) == written(work.y.ravel()[step])
    windows = [box for box in boxes if box[0] == "window"]
    assert sorted(number_in(box, texts) for box in windows) == sorted(
        written(term.sample) for term in work.steps[step].terms
    )


def test_cells_lie_where_they_belong():
    x = np.arange(12.0).reshape(3, 4)
    boxes, texts = drawn(draw_convolution(x, (1, 1), title="").to_svg(0))
    found = [box for box in boxes if box[0] == "input"]
    for i, j in np.ndindex(3, 4):
        box = found[4 * i + j]
        assert number_in(box, texts) == str(4 * i + j)
        assert box[1] - found[0][1] == pytest.approx(j * box[3])
        assert box[2] - found[0][2] == pytest.approx(i * box[4])


def test_the_sum_is_written_out():
    drawing = draw_convolution([[1.0, 2.5, -3.0]], [[4.0, -5.0]])
    texts = [text for text, _, _ in drawn(drawing.to_svg(1))[1]]
    assert "2.5·4 + (−3)·(−5) = 25" in texts
    pooled = draw_pooling([[[1.0, 2.0], [4.0, 3.0]]], (2, 2), kind="average")
    assert "(1 + 2 + 4 + 3) / 4 = 2.5" in [text for text, _, _ in drawn(pooled.to_svg())[1]]
    largest = draw_pooling([[[1.0, 2.0], [4.0, 3.0]]], (2, 2))
    assert "max(1, 2, 4, 3) = 4" in [text for text, _, _ in drawn(largest.to_svg())[1]]
    shifted = draw_convolution(np.ones((1, 2)), np.ones((1, 1, 2)), bias=np.array([10.0]))
    assert "1·1 + 1·1 + 10 = 12" in [text for text, _, _ in drawn(shifted.to_svg())[1]]


def test_steps_in_one_file():
    drawing = draw_convolution((4, 5), (2, 2))
    root = ElementTree.fromstring(drawing.to_animated_svg(seconds_per_step=0.5))
    steps = [group for group in root.iter(f"{SVG}g") if group.get("class") == "step"]
    assert len({group.get("style") for group in steps}) >= drawing.num_steps
    rules = root.find(f"{SVG}style").text
    assert "animation:6s step-end infinite" in rules
    assert "prefers-reduced-motion" in rules
    page = drawing.to_html()
    picture = ElementTree.fromstring(re.search(r"<svg.*?</svg>", page, re.DOTALL).group())
    for step in range(drawing.num_steps):
        there = [
            group
            for group in picture.iter(f"{SVG}g")
            if group.get("data-from") and int(group.get("data-from")) <= step < int(group.get("data-to"))
        ]
        current = [box for group in there for box in group if box.get("class") == "current"]
        revealed = [box for group in there for box in group if box.get("class") == "output"]
        first = sum(box.get("class") == "output" for box in picture.iter(f"{SVG}rect")) - drawing.num_steps + 1
        assert (len(current), len(revealed)) == (1, step + 1 - first)


def test_hostile_names_are_text():
    name = "</text><script>alert(1)</script>&amp;"
    drawing = draw_convolution((5,), (3,), title=name)
    for svg in (drawing.to_svg(), drawing.to_animated_svg()):
        root = ElementTree.fromstring(svg)
        assert not list(root.iter(f"{SVG}script"))
        assert name in ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert "<script>alert" not in drawing.to_html()


def test_gif_and_png(tmp_path):
    drawing = draw_transposed((3, 2), (2, 3), stride=(1, 2))
    moving = Image.open(drawing.save(tmp_path / "moving.gif", seconds_per_step=0.25))
    assert moving.n_frames == drawing.num_steps
    assert moving.info["duration"] == 250
    still = Image.open(drawing.save(tmp_path / "still.png", theme="dark", step=3))
    assert still.size[0] == pytest.approx(2 * moving.size[0], abs=2)
    assert still.getpixel((2, 2)) == (0x14, 0x17, 0x1A)


@pytest.mark.parametrize(
    ("x", "weight", "options"),
    [((4, 9), (4, 2, 3), {"groups": 2, "padding": 1}), ((2, 3, 4), (2, 2, 2, 2), {"show": "both"})],
)
def test_frames_are_the_pictures_of_their_steps(x, weight, options):
    drawing = draw_convolution(x, weight, **options)
    moving = Image.open(io.BytesIO(drawing.to_gif()))
    for step in range(0, drawing.num_steps, 5):
        moving.seek(step)
        frame = np.asarray(moving.convert("RGB")).astype(int)
        whole = np.asarray(as_image(drawing.scene(None).at(step)).reduce(FINER)).astype(int)
        difference = np.abs(frame - whole)
        assert difference.mean() < 1  # a palette of 256 colours
        assert (difference.max(axis=2) > 60).mean() < 0.002


@pytest.mark.parametrize("name", ["picture.jpg", "picture"])
def test_a_file_of_no_known_kind(tmp_path, name):
    with pytest.raises(OptionError, match=r"expected a name that ends in \.svg, \.gif, \.png or \.html"):
        draw_convolution((5,), (3,)).save(tmp_path / name)


def test_options_without_effect(tmp_path):
    drawing = draw_convolution((5,), (3,))
    for name, options in (("a.gif", {"step": 1}), ("a.png", {"animate": True}), ("a.svg", {"seconds_per_step": 1.0})):
        with pytest.raises(OptionError, match="has no effect"):
            drawing.save(tmp_path / name, **options)
    with pytest.raises(OptionError, match="norm_type 3 has no effect"):
        draw_pooling((4, 4), 2, norm_type=3)
    assert list(tmp_path.iterdir()) == []


def test_what_is_refused():
    with pytest.raises(ShapeError) as refused:
        draw_convolution((1, 80, 80), (1, 1, 3, 3))
    assert str(refused.value) == (
        "draw_convolution: x 1 × 80 × 80 = 6,400 cells, expected at most 4,000.\n"
        "  Hint: a small example shows the same: fewer samples, channels or taps."
    )
    with pytest.raises(ShapeError, match=r"30 channels · 30 · 30 outputs · 9 taps = 243,000 products"):
        draw_convolution((1, 30, 30), (30, 1, 3, 3), padding=1)
    with pytest.raises(ShapeError, match="961 outputs are as many steps, expected at most 300"):
        draw_convolution((31, 31), (1, 1)).to_gif()
    with pytest.raises(OptionError, match="step is 9, expected 0 ≤ step < 3"):
        draw_convolution((5,), (3,)).to_svg(9)
    with pytest.raises(ShapeError, match="x has 4 axes besides its channels, expected 1, 2 or 3"):
        draw_convolution((1, 2, 2, 2, 2), (1, 1, 2, 2, 2, 2))
    with pytest.raises(OptionError, match="holds NaN or an infinity"):
        draw_convolution([[np.nan, 1.0]], (1, 1, 1))
    for wrong in ("pixels", [[1j, 2]], [[1], [2, 3]], object()):
        with pytest.raises(OptionError, match="x is no array of real numbers, nor a shape"):
            draw_convolution(wrong, (1, 1, 1))
    with pytest.raises(ShapeError, match="the window of output 0 holds no sample"):
        draw_pooling((1, 3), 2, padding=[(2, 0)])
    with pytest.raises(ShapeError, match=r"x has 3 channels, but weight \(2, 2, 3\) with groups=1 expects 2"):
        draw_convolution((3, 9), (2, 2, 3))

"""The playground: its numbers against plain loops, its page in a real browser."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from page_checks import until

import oracles
from lenrek.studio.session import Session

SVG = "{http://www.w3.org/2000/svg}"
X = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9]
W = [2, 0, -1, 1, 3, -2]


@pytest.fixture(scope="module")
def served(serve):
    return serve(Session())


def asked(served, route: str, **settings: Any) -> dict[str, Any]:
    with served.client() as client:
        answer = client.post(f"/api/playground/{route}", json=settings)
    assert answer.status_code == 200, answer.text
    return answer.json()


def outputs_of(svg: str) -> list[str]:
    """The number in each output cell, in the order of the cells."""
    root = ElementTree.fromstring(svg)
    texts = [(float(t.get("x")), float(t.get("y")), "".join(t.itertext())) for t in root.iter(f"{SVG}text")]
    found = []
    for cell in root.iter(f"{SVG}rect"):
        if (cell.get("data-cell") or "").startswith("y:"):
            x, y, side = (float(cell.get(name)) for name in ("x", "y", "width"))
            inside = {t for tx, ty, t in texts if abs(tx - x - side / 2) < 0.02 and y < ty < y + side}
            assert len(inside) == 1
            found.append(inside.pop().replace("−", "-"))
    return found


OPTIONS = {"size": [3, 5], "kernel_size": [2, 3], "samples": X, "weights": W, "stride": [1, 2], "dilation": [2, 1],
           "padding": [2, 1], "boundary": "symmetric"}  # fmt: skip


@pytest.mark.parametrize("operation", ["correlate", "convolve"])
def test_a_convolution_and_its_matrix(served, operation):
    weight = np.reshape(W, (1, 1, 2, 3)).astype(float)
    laid = weight if operation == "correlate" else np.flip(weight, (2, 3))
    x = np.reshape(X, (1, 1, 3, 5)).astype(float)
    sides = ((2, 2), (1, 1))
    expected = oracles.correlate(x, laid, None, (1, 2), sides, (2, 1), 1, "symmetric")[0, 0]
    drawn = asked(served, "draw", operation=operation, **OPTIONS, step=4)
    assert [float(text) for text in outputs_of(drawn["svg"])] == expected.ravel().tolist()
    assert drawn["told"].endswith(f"= {expected.ravel()[4]:g}".replace("-", "−"))
    assert (drawn["step"], drawn["steps"], drawn["out_size"]) == (4, expected.size, list(expected.shape))
    matrix = asked(served, "matrix", operation=operation, **OPTIONS)
    dense = np.zeros((matrix["rows"], matrix["columns"]))
    for row, column, value in matrix["entries"]:
        dense[row, column] = value
    np.testing.assert_array_equal(dense @ X, expected.ravel())
    np.testing.assert_array_equal(dense, oracles.filter_matrix(laid, (3, 5), (1, 2), sides, (2, 1), 1, "symmetric"))


def test_transposed_and_pooling_have_their_matrices(served):
    options = {"size": [3], "samples": [1, -2, 3], "kernel_size": [3], "weights": [1, 2, 3], "stride": [2]}
    drawn = asked(
        served, "draw", operation="correlate_transposed", dilation=[1], padding=[1], output_padding=[1], **options
    )
    matrix = asked(
        served, "matrix", operation="correlate_transposed", dilation=[1], padding=[1], output_padding=[1], **options
    )
    forward = oracles.filter_matrix(np.array([[[1.0, 2, 3]]]), (6,), (2,), ((1, 1),), (1,), 1)
    dense = np.zeros((matrix["rows"], matrix["columns"]))
    for row, column, value in matrix["entries"]:
        dense[row, column] = value
    np.testing.assert_array_equal(dense, forward.T)
    assert [float(text) for text in outputs_of(drawn["svg"])] == (forward.T @ [1, -2, 3]).tolist()
    pool = {"size": [4], "samples": [1, 3, 5, 8], "kernel_size": [2], "stride": [2], "dilation": [1], "padding": [0]}
    assert asked(served, "matrix", operation="average", **pool)["entries"] == [
        [0, 0, 0.5], [0, 1, 0.5], [1, 2, 0.5], [1, 3, 0.5],
    ]  # fmt: skip
    assert "not linear" in asked(served, "matrix", operation="max", **pool)["none"]
    assert outputs_of(asked(served, "draw", operation="max", boundary="ignore", **pool)["svg"]) == ["3", "8"]


@pytest.mark.parametrize(
    ("settings", "status", "message"),
    [
        ({"size": [3, 3], "kernel_size": [5, 5]}, 400, "the window covers 1·(5 − 1) + 1 = 5 samples"),
        ({"samples": [1, 2]}, 400, "samples has 2 numbers, expected 5 · 6 = 30"),
        ({"boundary": "reflect", "size": [2, 9], "padding": [2, 0]}, 400, "needs at least as many samples to mirror"),
        ({"size": [17, 3]}, 422, "less than or equal to 16"),
        ({"samples": [1e300] * 30}, 422, "less than or equal to 1000000"),
        ({"operation": "__import__"}, 422, "Input should be"),
        ({"unknown": 1}, 422, "Extra inputs are not permitted"),
    ],
)
def test_what_is_refused(served, settings, status, message):
    with served.client() as client:
        answer = client.post("/api/playground/draw", json=settings)
    assert answer.status_code == status
    assert message in answer.text


@pytest.fixture
def page(served, new_page: Callable[..., Any]) -> Any:
    opened = new_page(width=1300, height=1000)
    opened.goto(served.opened + "#playground?size=4,5&kernel=2,2")
    opened.wait_for_selector(".playground-picture svg")
    return opened


def value(page: Any, cell: str) -> str:
    return page.locator(f'[data-cell="{cell}"]').get_attribute("aria-label").split(": ")[1]


def told(page: Any) -> str:
    return page.locator("#told").inner_text()


def test_numbers_are_edited_by_pointer_and_by_keys(page):
    page.locator('[data-cell="x:0,1,2"]').click()
    page.keyboard.type("-7.5")
    page.keyboard.press("Enter")
    until(page, "location.hash.includes('-7.5')")
    until(page, """document.querySelector('[data-cell="x:0,1,2"]').ariaLabel.includes('−7.5')""")
    page.locator('[data-cell="w:0,0,1"]').focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("4")  # a digit begins
    page.keyboard.press("Enter")
    until(page, """document.querySelector('[data-cell="w:0,1,1"]').ariaLabel.endsWith(': 4')""")
    page.locator('[data-cell="y:0,0,2"]').click()
    until(page, "document.getElementById('told').textContent.startsWith('Output 0, 2:')")
    assert "(−7.5)·" in told(page)
    page.locator('[data-cell="x:0,0,0"]').click()
    page.keyboard.type("99")
    page.keyboard.press("Escape")
    assert value(page, "x:0,0,0") != "99"


def test_sliders_change_the_operation_and_the_link_restores_it(page, served, new_page):
    page.locator("input[name=stride1]").focus()
    page.keyboard.press("ArrowRight")
    until(page, "location.hash.includes('stride=1%2C2')")
    until(page, "document.querySelectorAll('[data-cell^=\"y:\"]').length === 6")
    page.get_by_label("Flip the kernel").check()
    page.get_by_role("button", name="One output on").click()
    until(page, "location.hash.includes('step=')")
    page.wait_for_load_state("networkidle")
    again = new_page(width=1300, height=1000)
    again.goto(served.opened + "#" + page.url.partition("#")[2])
    again.wait_for_selector(".playground-picture svg")
    assert told(again) == told(page)
    assert again.get_by_label("Flip the kernel").is_checked()
    until(
        again, "document.querySelector('.readout-line').textContent.includes('6 rows (outputs) × 20 columns (samples)')"
    )
    assert again.locator(".matrix").bounding_box()["width"] > again.locator(".matrix").bounding_box()["height"]


def test_what_does_not_fit_is_said_and_leaves_the_picture(page):
    page.locator("input[name=kernel0]").fill("7")
    page.wait_for_selector(".playground-board .error:not([hidden])")
    assert "window covers" in page.locator(".playground-board .error").inner_text()
    assert page.locator(".playground-picture.stale svg").count() == 1
    page.locator("input[name=kernel0]").fill("2")
    page.wait_for_selector(".playground-board .error", state="hidden")
    assert page.locator(".playground-picture.stale").count() == 0
    assert all("400" in complaint for complaint in page.complaints)  # the browser tells of every refusal
    page.complaints.clear()


def test_kinds_and_saving(page, tmp_path):
    page.get_by_role("button", name="Max", exact=True).click()
    until(page, "document.getElementById('told').textContent.includes('max(')")
    assert page.locator("[data-cell^='w:']").count() == 0
    with page.expect_download() as saved:
        page.locator(".playground-board .save button", has_text="SVG").click()
    root = ElementTree.parse(saved.value.path()).getroot()
    assert root.tag == f"{SVG}svg"
    page.get_by_role("button", name="Transposed").click()
    until(page, "document.getElementById('told').textContent.includes('·')")
    assert page.locator("[data-cell^='w:']").count() == 4
    page.get_by_role("button", name="Start again").click()
    until(page, "location.hash === '#playground'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_page(served, new_page, scheme):
    page = new_page(width=380, height=800, color_scheme=scheme)
    page.goto(served.opened + "#playground")
    page.wait_for_selector(".playground-picture svg")
    until(page, "getComputedStyle(document.querySelector('.lenrek-drawing .orange')).fill !== 'rgb(0, 0, 0)'")
    fill = page.evaluate("getComputedStyle(document.querySelector('.lenrek-drawing .orange')).fill")
    assert fill == {"light": "rgb(194, 90, 18)", "dark": "rgb(243, 162, 95)"}[scheme]
    assert page.evaluate("document.documentElement.scrollWidth") <= 380


def test_the_matrix_stands_beside_the_picture_where_there_is_room(served, new_page: Callable[..., Any]):
    places = []
    for width in (1200, 1000):
        page = new_page(width=width, height=900)
        page.goto(served.opened + "#playground")
        page.wait_for_selector(".playground-picture svg")
        places.append([page.locator(part).bounding_box() for part in (".playground-board", ".playground-matrix-part")])
    (board, matrix), (above, below) = places
    assert matrix["x"] >= board["x"] + board["width"]
    assert matrix["y"] == board["y"]
    assert below["y"] >= above["y"] + above["height"]

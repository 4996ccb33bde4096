"""The Map view in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
from page_checks import until

from lenrek.studio.session import Session

READY = "document.querySelectorAll('.map-legend button').length === 10"


@pytest.fixture(scope="module")
def served(serve):
    return serve(Session("lenet5", "digits"))


def opened(new_page: Callable[..., Any], served: Any, link: str = "", **options: Any) -> Any:
    page = new_page(**options)
    page.goto(f"{served.opened}#map{link}")
    until(page, READY, 60)
    page.wait_for_load_state("networkidle")
    return page


def told(served: Any) -> dict[str, Any]:
    with served.client() as client:
        return client.get("/api/map/points", params={"of": "data", "samples": 500}).json()


def linked(page: Any) -> dict[str, str]:
    return {name: value[0] for name, value in parse_qs(page.url.partition("#map?")[2]).items()}


def place(page: Any, points: dict[str, Any], at: int) -> tuple[float, float]:
    """Where the point lies in the window while all are in sight, computed here."""
    area = page.locator(".map-plane").bounding_box()
    width, height = page.evaluate("(c => [c.clientWidth, c.clientHeight])(document.querySelector('.map-plane'))")
    (left, right), (low, high) = ((min(points[axis]), max(points[axis])) for axis in ("x", "y"))
    scale = min((width - 40) / (right - left), (height - 40) / (high - low))
    x = width / 2 + scale * (points["x"][at] - (left + right) / 2)
    y = height / 2 - scale * (points["y"][at] - (low + high) / 2)
    border = (area["width"] - width) / 2
    return area["x"] + border + x, area["y"] + border + y


def test_pointing_at_a_sample_shows_it(served, new_page: Callable[..., Any]):
    page, points = opened(new_page, served), told(served)
    at = max(range(500), key=lambda i: points["x"][i])  # alone at the rim
    page.mouse.move(*place(page, points, at))
    page.wait_for_selector(".map-card:visible")
    label = points["labels"][points["label"][at]]["name"]
    assert page.locator("#view-map .readout").inner_text() == f"{points['names'][at]} · {label}"
    until(page, "document.querySelector('.map-card img').naturalWidth > 0")
    assert f"sample={points['ids'][at]}" in page.locator(".map-card img").get_attribute("src")
    page.mouse.move(2, 2)
    until(page, "document.querySelector('.map-card').hidden")
    assert page.locator("#view-map").inner_text().count(points["caption"]) == 1


def test_the_link_restores_place_and_sample(served, new_page: Callable[..., Any]):
    page, points = opened(new_page, served), told(served)
    at = max(range(500), key=lambda i: points["x"][i])
    page.mouse.click(*place(page, points, at))
    for _ in range(6):
        page.keyboard.press("+")
    page.keyboard.press("Shift+ArrowRight")
    kept = linked(page)
    assert kept["id"] == points["ids"][at]
    assert float(kept["zoom"]) == pytest.approx(1.5**6, rel=1e-3)
    again = opened(new_page, served, page.url.partition("#map")[2])
    until(again, "!document.querySelector('.map-card').hidden")
    said = again.locator("#view-map .readout").inner_text()
    assert said.startswith(points["names"][at])
    assert linked(again) == kept
    again.locator(".map-plane").focus()
    again.keyboard.press("0")
    assert "zoom" not in linked(again)


def test_keys_go_from_sample_to_sample(served, new_page: Callable[..., Any]):
    page, points = opened(new_page, served), told(served)
    page.locator(".map-plane").focus()
    page.keyboard.press("ArrowRight")
    first = linked(page)["id"]
    page.keyboard.press("ArrowRight")
    second = linked(page)["id"]
    x = dict(zip(points["ids"], points["x"], strict=True))
    assert x[second] > x[first]
    assert not page.locator(".map-card").is_hidden()
    page.keyboard.press("Enter")
    until(page, f"location.hash.startsWith('#image?sample={second}')")


def test_a_label_alone(served, new_page: Callable[..., Any]):
    page = opened(new_page, served)
    page.locator(".map-legend button").nth(3).click()
    assert linked(page)["label"] == "3"
    assert page.locator(".map-legend button[aria-pressed='true']").inner_text() == f"3 · {_count(served, 3)}"
    page.locator(".map-plane").focus()
    page.keyboard.press("ArrowLeft")
    points = told(served)
    assert points["label"][points["ids"].index(linked(page)["id"])] == 3
    page.locator(".map-legend button").nth(3).click()
    assert "label" not in linked(page)


def test_where_few_are_in_sight_their_pictures_are_drawn(served, new_page: Callable[..., Any]):
    points = told(served)
    x, y = (sorted(points[axis])[250] for axis in ("x", "y"))
    page = new_page()
    asked: set[str] = set()
    page.on("request", lambda one: asked.add(one.url.partition("sample=")[2].partition("&")[0]))
    page.goto(f"{served.opened}#map?x={x}&y={y}&zoom=8")
    until(page, READY, 60)
    page.wait_for_load_state("networkidle")
    width, height = page.evaluate("(c => [c.clientWidth, c.clientHeight])(document.querySelector('.map-plane'))")
    spans = [max(points[axis]) - min(points[axis]) for axis in ("x", "y")]
    scale = 8 * min((width - 40) / spans[0], (height - 40) / spans[1])
    in_sight = {
        id_
        for id_, px, py in zip(points["ids"], points["x"], points["y"], strict=True)
        if abs(px - x) * scale < width / 2 + 43 and abs(py - y) * scale < height / 2 + 43
    }
    assert 0 < len(in_sight) <= 60
    assert in_sight <= asked
    assert len(asked) < 100


def _count(served: Any, digit: int) -> int:
    return told(served)["label"].count(digit)


def test_it_fits_a_phone(served, new_page: Callable[..., Any]):
    page = opened(new_page, served, width=360, height=700)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360

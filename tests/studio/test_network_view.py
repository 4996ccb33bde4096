"""The Network view in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from page_checks import until
from torch import nn

from lenrek.drawing.colours import diverging
from lenrek.explain.receptive import receptive_field
from lenrek.models.create import create_model
from lenrek.studio.session import Session


@pytest.fixture(scope="module")
def served(serve):
    return serve(Session("lenet5", "digits"))


def opened(new_page: Callable[..., Any], served: Any, link: str = "", **options: Any) -> Any:
    page = new_page(**options)
    page.goto(f"{served.opened}#network{link}")
    page.wait_for_selector("#view-network .map canvas, #view-network .number")
    return page


def test_a_layer_shows_its_maps(served, new_page: Callable[..., Any]):
    page = opened(new_page, served)
    assert page.locator("#view-network h2").inner_text() == "features.0"
    assert page.locator(".map").count() == 6
    page.locator("[data-layer='features.3']").click()
    until(page, "document.querySelectorAll('.map').length === 16")
    assert "A feature sees 14×14 of the input; neighbours lie 2×2 apart." in page.locator("#view-network").inner_text()
    page.locator("[data-layer='classifier.5']").click()
    until(page, "document.querySelectorAll('.number').length === 10")
    of_maps = page.locator(".network-maps").locator("[aria-label=Scale], .save")
    until(page, "!document.querySelector('.network-maps .save').checkVisibility()")
    assert of_maps.locator("visible=true").count() == 0  # numbers have no maps to be scaled or saved
    page.go_back()
    until(page, "document.querySelectorAll('.map').length === 16")
    assert of_maps.locator("visible=true").count() == 2


def test_maps_have_the_colours_of_their_values(served, new_page: Callable[..., Any]):
    page = opened(new_page, served, "?sample=data-3&layer=features.0&order=index")
    until(page, "document.querySelector('.map canvas').width === 28")
    found = page.evaluate("[...document.querySelector('.map canvas').getContext('2d').getImageData(0, 0, 28, 28).data]")
    with served.client() as client:
        answer = client.get("/api/network/maps", params={"sample": "data-3", "layer": "features.0"})
    values = np.frombuffer(answer.content, np.float32).reshape(6, 28, 28)
    expected = diverging(values[0], np.abs(values).max())
    painted = np.array(found).reshape(28, 28, 4)[..., :3]
    assert np.abs(painted - expected.astype(int)).max() <= 1  # colours come in 255 steps


def test_a_cell_lights_up_what_it_sees_and_the_other_way_round(served, new_page: Callable[..., Any]):
    page = opened(new_page, served, "?sample=data-3&layer=features.3")
    until(page, "document.querySelector('.map canvas').width === 10")
    network = create_model("lenet5", 10, 1)
    fields = receptive_field(network, (1, 28, 28))
    area = page.locator(".map canvas").first.bounding_box()
    page.mouse.move(area["x"] + area["width"] * 0.75, area["y"] + area["height"] * 0.05)  # row 0, column 7
    page.wait_for_selector(".field-box:visible")
    rows, columns = fields.box((0, 7), "features.3")
    sees = f"{rows[0]}–{rows[-1]} × {columns[0]}–{columns[-1]}"
    assert page.locator(".readout").inner_text().endswith(f"at 0, 7: {cell_value(page, 0, 7)}, sees {sees}")
    placed = page.evaluate(
        "(({left, top, width, height}) => [left, top, width, height])(document.querySelector('.field-box').style)"
    )
    in_pixels = [float(one.removesuffix("%")) * 28 / 100 for one in placed]
    assert in_pixels == pytest.approx([columns[0], rows[0], len(columns), len(rows)], abs=1e-3)
    area = page.locator(".field-picture").bounding_box()
    page.mouse.move(area["x"] + area["width"] * 20.5 / 28, area["y"] + area["height"] * 3.5 / 28)
    reached = fields.reaches((3, 20), "features.3")
    said = " × ".join(f"{one[0]}–{one[-1]}" for one in reached)
    until(page, "document.querySelector('.readout').textContent.startsWith('Input 3, 20')")
    assert page.locator(".readout").inner_text() == f"Input 3, 20 is seen by cells {said}"
    page.mouse.move(1, 1)
    until(page, "document.querySelector('.readout').textContent === ''")


def cell_value(page: Any, row: int, column: int) -> str:
    said = page.locator(".readout").inner_text()
    return said.split(f"at {row}, {column}: ")[1].split(",")[0]


def test_keys_move_the_cell_and_the_link_keeps_it(served, new_page: Callable[..., Any]):
    page = opened(new_page, served, "?sample=data-3&layer=features.3&order=index")
    page.locator(".maps").focus()
    for key in ("ArrowRight", "ArrowDown", "PageDown", "Enter"):
        page.keyboard.press(key)
    assert page.url.endswith("#network?sample=data-3&layer=features.3&order=index&cell=1%2C6%2C6")
    again = opened(new_page, served, page.url.partition("#network")[2])
    until(again, "document.querySelector('.readout').textContent.startsWith('Map 1 at 6, 6')")
    assert again.locator(".field-box").is_visible()


NETWORKS = [
    (create_model("lenet5", 10, 1), (1, 28, 28)),
    (nn.Sequential(nn.Conv2d(2, 3, (3, 5), (2, 3), (1, 0), (2, 1)), nn.MaxPool2d((3, 2), (1, 2))), (2, 23, 31)),
    (nn.Sequential(nn.Conv1d(1, 2, 7, stride=3), nn.ConvTranspose1d(2, 2, 4, stride=2, padding=1)), (1, 64)),
    (nn.Sequential(nn.Conv3d(1, 2, (1, 2, 3), stride=(1, 2, 3)), nn.AdaptiveAvgPool3d(1)), (1, 5, 8, 9)),
]  # fmt: skip


@pytest.mark.parametrize(("network", "shape"), NETWORKS, ids=["lenet5", "unequal", "signal", "volume"])
def test_the_page_computes_receptive_fields_as_lenrek_does(served, new_page: Callable[..., Any], network, shape):
    found = receptive_field(network, shape)
    page = new_page()
    page.goto(served.opened)
    rng = np.random.default_rng(3)
    for layer in found.layers:
        size = layer.shape[2:]
        if not size or layer.name == "":
            continue
        positions = [[int(rng.integers(n)) for n in size] for _ in range(8)] + [
            [n - 1 for n in size],
            [0 for _ in size],
        ]
        pixels = [[int(rng.integers(n)) for n in shape[1:]] for _ in range(8)]
        given = {
            "fields": layer.to_dict()["fields"], "positions": positions, "pixels": pixels,
            "input": list(shape[1:]), "map": list(size),
        }  # fmt: skip
        boxes, reaches = page.evaluate(
            """async ({fields, positions, pixels, input, map}) => {
            const {box, reached} = await import('./page/fields.js');
            return [positions.map((p) => box(fields, p, input)), pixels.map((p) => reached(fields, p, map))]; }""",
            given,
        )
        for position, spans in zip(positions, boxes, strict=True):
            whole = layer.box(position, clipped=False)
            inside = [[max(0, one[0]), min(n - 1, one[-1])] for one, n in zip(whole, shape[1:], strict=True)]
            exact = [[one[0], one[-1]] for one in layer.box(position)]
            assert all(a[0] <= b[0] and b[1] <= a[1] for a, b in zip(spans, exact, strict=True))
            if not any(field.bound for field in layer.fields):  # else it holds for features of every phase
                assert spans == inside, (layer.name, position)
        for pixel, spans in zip(pixels, reaches, strict=True):
            if not any(field.bound for field in layer.fields):
                exact = [[one[0], one[-1]] if one else None for one in layer.reaches(pixel)]
                assert spans == exact or None in exact, (layer.name, pixel)


@pytest.mark.parametrize(("model", "size"), [("lenet5", (900,)), ("lenet5", (28, 28, 28))], ids=["1-D", "3-D"])
def test_signals_and_volumes(serve, new_page: Callable[..., Any], tmp_path, model, size):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", x=rng.normal(size=(6, *size)).astype(np.float32), y=[0, 1, 2, 0, 1, 2])
    served = serve(Session(model, str(tmp_path / "data.npz")))
    page = opened(new_page, served, "?sample=data-1")
    page.locator(".maps").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".field-box:visible")
    middle = [n // 2 for n in size[:-1]] + [size[-1] // 2 + 1]
    assert f" at {', '.join(map(str, middle))}: " in page.locator(".readout").inner_text()
    assert page.locator(".map canvas").count() == 6
    sliders = page.locator("#view-network input[type=range]:visible").count()
    assert sliders == (2 if len(size) == 3 else 0)


def test_pictures_are_saved(served, new_page: Callable[..., Any]):
    page = opened(new_page, served, "?sample=data-3&layer=features.3")
    until(page, "document.querySelectorAll('.map').length === 16")
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG").click()
    assert download.value.suggested_filename == "maps-features.3.png"
    from PIL import Image

    with Image.open(download.value.path()) as picture:
        assert picture.size == (8 * 104 + 8, 2 * 120 + 8)
        assert len(picture.getcolors(1 << 20) or []) > 50


def test_an_image_of_ones_own(served, new_page: Callable[..., Any], tmp_path):
    from PIL import Image

    hostile = "<img src=x onerror=alert(1)>.png"
    Image.new("RGB", (30, 20), (200, 10, 10)).save(tmp_path / "own.png")
    page = opened(new_page, served)
    page.locator("#view-network input[type=file]").set_input_files(
        {"name": hostile, "mimeType": "image/png", "buffer": (tmp_path / "own.png").read_bytes()}
    )
    until(page, "location.hash.includes('sample=upload-')")
    until(page, "document.querySelector('#view-network').textContent.includes('onerror')")
    assert hostile in page.locator("#view-network").inner_text()  # as text
    assert page.locator("img[src=x]").count() == 0


def test_filters_and_volumes_are_drawn_by_the_server(served, new_page: Callable[..., Any]):
    page = opened(new_page, served, "?sample=data-3&boxes=1")
    until(page, "document.querySelector('.volumes img')?.naturalWidth > 300")
    page.locator(".filters summary").click()
    until(page, "document.querySelector('.filters img')?.naturalWidth === 960")
    page.locator("[data-layer='features.1']").click()
    until(page, "document.querySelector('.filters').hidden")  # a rectifier has none

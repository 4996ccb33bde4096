"""The Image view in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from page_checks import until
from PIL import Image

from lenrek.drawing.colours import ABOVE, BELOW
from lenrek.studio.session import Session

HEAT = "!document.querySelector('.heat').hidden && document.querySelector('.heat').width === 28"


@pytest.fixture(scope="module")
def served(serve):
    return serve(Session("lenet5", "digits"))


def opened(new_page: Callable[..., Any], served: Any, link: str = "") -> Any:
    page = new_page()
    page.goto(f"{served.opened}#image{link}")
    page.wait_for_selector(".posterior")
    return page


def test_bars_show_the_posterior_and_explain_a_class(served, new_page: Callable[..., Any]):
    page = opened(new_page, served, "?sample=data-7")
    until(page, HEAT)
    with served.client() as client:
        found = client.get("/api/image/prediction", params={"sample": "data-7"}).json()
    order = sorted(found["posterior"], key=found["posterior"].get, reverse=True)
    assert page.locator(".posterior-name").all_inner_texts() == order
    assert page.locator(".headline strong").inner_text() == found["label"]
    assert "digits[7] is labelled 7" in page.locator(".image-left").inner_text()
    width = page.evaluate("document.querySelector('.posterior-bar').style.width")
    assert float(width.removesuffix("%")) == pytest.approx(100 * found["posterior"][order[0]], abs=1e-3)
    page.locator(".posterior").nth(2).click()
    until(page, f"document.querySelector('.heat-note')?.textContent.startsWith('Red speaks for {order[2]}.')")
    assert f"target={order[2]}" in page.url
    page.reload()
    until(page, f"document.querySelector('.heat-note')?.textContent.startsWith('Red speaks for {order[2]}.')")


def test_heat_maps_are_chosen_and_checked(served, new_page: Callable[..., Any]):
    page = opened(new_page, served, "?sample=data-7&method=occlusion")
    until(page, "document.querySelector('.heat-note')?.textContent.includes('blue against it. occlusion')")
    red, green, blue, alpha = page.evaluate(
        """() => { const pen = document.querySelector('.heat').getContext('2d');
        const all = pen.getImageData(0, 0, 28, 28).data; let most = 0;
        for (let i = 0; i < all.length; i += 4) if (all[i + 3] > all[most + 3]) most = i;
        return [...all.slice(most, most + 4)]; }"""
    )
    assert alpha == pytest.approx(0.8 * 255, abs=2)
    near = min(np.abs(np.subtract((red, green, blue), colour)).max() for colour in (ABOVE, BELOW))
    assert near <= 3  # what was painted is kept with its colours multiplied by alpha
    page.get_by_role("button", name="How faithful is it?").click()
    page.get_by_text("in random order").first.wait_for()
    page.get_by_label("Heat-map", exact=True).select_option("none")
    until(page, "document.querySelector('.heat').hidden")
    assert "method=none" in page.url


def test_views_and_what_they_are_made_of(served, new_page: Callable[..., Any]):
    page = new_page()
    page.goto(f"{served.opened}#image?sample=data-7&views=4&policy=shift%3D0.1")
    page.wait_for_selector(".posterior-plain")
    assert "4 views" in page.locator("#view-image").inner_text()
    assert page.locator(".posterior-plain").count() == 10
    page.get_by_label("What views are made of").fill("nonsense")
    page.keyboard.press("Enter")
    page.locator(".image-right [role=alert]").get_by_text("nonsense").wait_for()
    page.get_by_label("What views are made of").fill("")  # what stands there palely is taken
    page.keyboard.press("Enter")
    page.locator(".image-right [role=alert]").wait_for(state="hidden")
    page.get_by_text("The thin line is the sample as it is.").wait_for()
    page.complaints.clear()


def test_an_image_is_dropped(served, new_page: Callable[..., Any], tmp_path):
    Image.new("L", (16, 16), 200).save(tmp_path / "own.png")
    page = opened(new_page, served, "?sample=data-7")
    content = (tmp_path / "own.png").read_bytes().hex()
    page.evaluate(
        """(content) => { const bytes = Uint8Array.from(content.match(/../g), (one) => parseInt(one, 16));
        const data = new DataTransfer(); data.items.add(new File([bytes], '<b>own</b>.png', {type: 'image/png'}));
        const drop = new DragEvent('drop', {dataTransfer: data, bubbles: true});
        document.querySelector('#view-image').dispatchEvent(drop); }""",
        content,
    )
    until(page, "location.hash.includes('sample=upload-')")
    until(page, "document.querySelector('.image-left').textContent.includes('<b>own</b>.png')")


def test_a_bad_file_is_named(served, new_page: Callable[..., Any]):
    page = opened(new_page, served, "?sample=data-7")
    page.locator("#view-image input[type=file]").set_input_files(
        {"name": "film.png", "mimeType": "image/png", "buffer": b"not an image"}
    )
    page.get_by_text("studio: not an image of a format that is taken").wait_for()
    page.complaints.clear()  # the console names every answer that is an error


def test_picture_and_heat_map_are_saved_together(served, new_page: Callable[..., Any]):
    page = opened(new_page, served, "?sample=data-7")
    until(page, HEAT)
    with page.expect_download() as download:
        page.locator("#view-image").get_by_role("button", name="PNG").click()
    assert download.value.suggested_filename == "image-grad-cam.png"
    with Image.open(download.value.path()) as saved:
        assert saved.size == (480, 480)

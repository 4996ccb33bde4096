"""The page with steps in a real browser: slider, buttons, keys, the address, under a policy of its own."""

from __future__ import annotations

import shutil

import pytest

from lenrek.drawing.arithmetic.draw import draw_convolution

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need playwright")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the PATH")
    path = draw_convolution((4, 5), (2, 3)).save(tmp_path_factory.mktemp("page") / "steps.html")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        opened = browser.new_page()
        complaints = []
        opened.on("console", lambda said: complaints.append(said.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.goto(f"{path.as_uri()}#3")
        yield opened
        browser.close()
    assert complaints == []


def shown(page) -> tuple[str, int, int]:
    """What is said, how many outputs are marked, and how many steps' parts are there."""
    marked = page.locator("rect.current:visible").count()
    return page.locator("#place").inner_text(), marked, page.locator("rect.output:visible").count()


def test_the_steps_are_gone_through(page):
    assert shown(page) == ("3 / 9", 1, 3)  # as the address said
    page.keyboard.press("ArrowRight")
    assert shown(page) == ("4 / 9", 1, 4)
    assert page.url.endswith("#4")
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    assert shown(page) == ("9 / 9", 1, 9)
    page.keyboard.press("Home")
    page.get_by_role("button", name="One step back").click()
    assert shown(page) == ("1 / 9", 1, 1)
    page.get_by_label("Step", exact=True).fill("6")
    assert shown(page) == ("7 / 9", 1, 7)
    assert page.locator("#told").inner_text().startswith("Output 2, 0: ")
    page.get_by_role("button", name="Play").click()
    page.wait_for_selector("#place:not(:text-is('7 / 9'))")
    page.get_by_role("button", name="Pause").click()

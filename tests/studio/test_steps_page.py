"""The page that `lenrek draw` writes, in a real browser: slider, buttons, keys, the address, its own policy."""

from __future__ import annotations

import pytest

from lenrek.drawing.arithmetic.draw import draw_convolution


@pytest.fixture
def page(new_page, tmp_path):
    opened = new_page()
    opened.goto(f"{draw_convolution((4, 5), (2, 3)).save(tmp_path / 'steps.html').as_uri()}#3")
    return opened


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

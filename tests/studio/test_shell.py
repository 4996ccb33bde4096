"""The frame of the page in a real browser: tabs, links, colours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from page_checks import until

from lenrek.studio.session import Session

TITLES = ["Network", "Image", "Runs"]


@pytest.fixture(scope="module")
def served(serve):
    return serve(Session("lenet5", "digits"))


def test_the_address_opens_the_first_view_and_hides_its_key(served, new_page: Callable[..., Any]):
    page = new_page()
    page.goto(served.opened)
    page.wait_for_selector("[role=tabpanel]:not([hidden])")
    assert page.locator("[role=tab]").all_inner_texts()[:2] == TITLES[:2]
    assert page.url.partition("?")[0] == f"{served.url}/#network"
    assert page.locator("[role=tab][aria-selected=true]").inner_text() == "Network"
    assert page.evaluate("document.cookie") == ""  # scripts cannot read it


def test_keys_move_between_tabs(served, new_page: Callable[..., Any]):
    page = new_page()
    page.goto(served.opened)
    page.locator("#tab-network").focus()
    page.keyboard.press("ArrowRight")
    until(page, "location.hash.startsWith('#image')")
    assert page.evaluate("document.activeElement.id") == "tab-image"
    page.keyboard.press("Home")
    until(page, "location.hash.startsWith('#network')")
    page.keyboard.press("ArrowLeft")  # around the end
    page.wait_for_selector("[role=tab]:last-child[aria-selected=true]")
    assert page.locator("[role=tabpanel]:not([hidden])").count() == 1
    page.keyboard.press("Alt+2")
    until(page, "location.hash.startsWith('#image')")


def test_a_view_that_is_chosen_while_the_page_begins_stays(served, new_page: Callable[..., Any]):
    page, held = new_page(), []
    page.route("**/api/about", lambda route: held.append(route))
    page.goto(served.opened, wait_until="commit")
    page.locator("#tab-network").focus()
    page.keyboard.press("ArrowRight")
    until(page, "location.hash.startsWith('#image')")
    with page.expect_response("**/api/about"):
        held[0].continue_()
    page.wait_for_timeout(200)
    assert page.evaluate("location.hash").startswith("#image")
    assert page.locator("#tab-image[aria-selected=true]").count() == 1


def test_of_views_chosen_in_haste_the_last_is_shown(served, new_page: Callable[..., Any]):
    page, held = new_page(), []
    page.route("**/views/network.js", lambda route: held.append(route))
    page.goto(served.opened + "#network", wait_until="commit")
    page.wait_for_selector("#tab-network[aria-selected=true]")
    for view in ("image", "playground", "network"):
        page.evaluate(f"location.hash = '#{view}'")
        until(page, f"location.hash === '#{view}'")
    held[0].continue_()
    page.wait_for_selector("#view-network:not([hidden]) .layers")
    page.wait_for_timeout(200)
    assert page.locator("[role=tabpanel]:not([hidden])").count() == 1
    assert page.locator("#tab-network[aria-selected=true]").count() == 1


def test_links_and_the_back_button_restore_views(served, new_page: Callable[..., Any]):
    page = new_page()
    page.goto(served.opened + "#runs")
    page.wait_for_selector("#view-runs:not([hidden])")
    page.goto(f"{served.url}/#image")
    page.wait_for_selector("#view-image:not([hidden])")
    page.go_back()
    page.wait_for_selector("#view-runs:not([hidden])")
    page.goto(f"{served.url}/#nonsense")
    page.wait_for_selector("#view-network:not([hidden])")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_the_systems_until_others_are_chosen(served, new_page: Callable[..., Any], scheme: str):
    page = new_page(color_scheme=scheme)
    page.goto(served.opened)
    ground = "getComputedStyle(document.body).backgroundColor"
    dark, light = "rgb(20, 23, 26)", "rgb(252, 252, 251)"
    assert page.evaluate(ground) == (dark if scheme == "dark" else light)
    page.locator("#theme").click()
    assert page.evaluate(ground) == light
    assert page.locator("#theme").get_attribute("aria-label") == "Colours: light"
    page.locator("#theme").click()
    assert page.evaluate(ground) == dark
    page.reload()
    assert page.evaluate(ground) == dark


def test_nothing_is_wider_than_a_phone(served, new_page: Callable[..., Any]):
    page = new_page(width=360, height=700)
    for view in ("network", "image", "runs"):
        page.goto(f"{served.opened}#{view}")
        page.wait_for_selector(f"#view-{view}:not([hidden])")
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


NAMELESS = """() => [...document.querySelectorAll('button, select, input, a, img, summary, [role=tab]')].filter((one) =>
  one.checkVisibility() && !(one.getAttribute('aria-label') ?? one.getAttribute('alt') ?? one.textContent).trim()
  && !one.labels?.length && !one.closest('[aria-hidden=true]')
  && !(one.tagName === 'IMG' && one.closest('[aria-label]')))
  .map((one) => one.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("view", ["network", "image", "playground", "runs"])
def test_whatever_can_be_used_has_a_name(served, new_page: Callable[..., Any], view: str):
    page = new_page()
    page.goto(f"{served.opened}#{view}")
    page.wait_for_selector(f"#view-{view} :is(button, p)")
    page.wait_for_timeout(500)
    assert page.evaluate(NAMELESS) == []
    assert page.locator("html").get_attribute("lang") == "en"
    order = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((one) => Number(one.tagName[1]))")
    assert order[0] == 1


def test_without_a_network_it_opens_where_none_is_needed(serve, new_page: Callable[..., Any]):
    page = new_page()
    page.goto(serve(Session()).opened)
    page.wait_for_selector("#view-playground:not([hidden])")


def test_a_view_that_cannot_be_opened_leaves_the_others(serve, new_page: Callable[..., Any]):
    page = new_page()
    page.goto(serve(Session()).opened + "#network")
    page.wait_for_selector("#view-network [role=alert]")
    assert page.locator("#view-network").inner_text().startswith("studio: no network was named.")
    page.locator("#tab-playground").click()
    page.wait_for_selector("#view-playground:not([hidden]) .playground-picture svg")
    assert page.complaints.pop().startswith("Failed to load resource: the server responded with a status of 400")


def test_on_a_telephone_every_tab_is_in_sight(served, new_page: Callable[..., Any]):
    page = new_page(width=375, height=700)
    page.goto(served.opened)
    page.wait_for_selector("#view-network:not([hidden])")
    assert page.evaluate("document.getElementById('tabs').scrollWidth <= document.getElementById('tabs').clientWidth")


def test_the_sample_goes_along_from_view_to_view(served, new_page: Callable[..., Any]):
    page = new_page()
    page.goto(f"{served.opened}#network")
    page.locator("#view-network [data-id='data-4']").click()
    page.locator("#tab-image").click()
    page.wait_for_selector("#view-image [data-id='data-4'][aria-pressed=true]")
    assert "sample=data-4" in page.url

"""The Runs view in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from page_checks import until

import lenrek
from lenrek.studio.session import Session

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    lenrek.train("digits", out=folder / "first", epochs=1, batch_size=256, precision="fp32", test=0.1, progress=False)
    return folder


def row(epoch: int) -> str:
    return json.dumps({"epoch": epoch, "train_loss": 2 / epoch, "validation_loss": 3 / epoch, "best": True}) + "\n"


def test_a_finished_run_and_the_pictures_behind_a_cell(serve, runs, new_page: Callable[..., Any]):
    served = serve(Session(None, runs=runs))
    page = new_page()
    page.goto(f"{served.opened}#runs")
    page.wait_for_selector(".confusion td button")
    assert page.locator(".charts svg").count() == 4
    assert "179 test samples" in page.locator(".run-detail").inner_text()
    cell = page.locator(".confusion td button:enabled").first
    count, name = int(cell.inner_text()), cell.get_attribute("data-cell")
    cell.click()
    page.wait_for_selector(".cell-pictures img")
    assert page.locator(".cell-pictures img").count() == count
    assert f"cell={name.replace(',', '%2C')}" in page.url
    page.reload()
    page.wait_for_selector(".cell-pictures img")
    with page.expect_download() as download:
        page.locator(".charts").get_by_role("button", name="SVG").first.click()
    text = download.value.path().read_text(encoding="utf-8")
    assert download.value.suggested_filename == "first-Loss.svg"
    assert "<svg" in text
    assert "stroke" in text


def test_a_run_is_drawn_again_while_it_goes_on_and_its_name_is_text(serve, tmp_path, new_page: Callable[..., Any]):
    going = tmp_path / HOSTILE
    going.mkdir()
    (going / "metrics.jsonl").write_text(row(1))
    served = serve(Session(None, runs=tmp_path))
    page = new_page()
    page.goto(f"{served.opened}#runs")
    page.wait_for_selector(".charts svg")
    assert page.locator(".run b").inner_text() == HOSTILE
    assert page.locator("img").count() == 0
    assert "after epoch 1" in page.locator(".headline").first.inner_text()
    (going / "metrics.jsonl").write_text(row(1) + row(2))
    until(page, "document.querySelector('#view-runs .headline').textContent.includes('after epoch 2')", within_s=30)


def test_without_runs_it_is_said_how_to_make_one(serve, tmp_path, new_page: Callable[..., Any]):
    served = serve(Session(None, runs=tmp_path))
    page = new_page()
    page.goto(f"{served.opened}#runs")
    page.get_by_text("No runs here yet.").wait_for()

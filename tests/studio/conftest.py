"""A studio that is served, and a browser that looks at it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the studio needs lenrek[studio]")

from lenrek.studio.serve import address, bind, make_server
from lenrek.studio.session import Session

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@dataclass
class Served:
    """A studio in this process; `url` is its address without the token, `opened` the one that was printed."""

    session: Session
    opened: str

    @property
    def url(self) -> str:
        return self.opened.partition("/?")[0]

    def client(self) -> Any:
        """What asks it as a program would."""
        import httpx

        return httpx.Client(base_url=self.url, headers={"X-Lenrek-Token": self.session.token}, timeout=60)


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[Session], Served]]:
    """Serves sessions until the module's tests are done."""
    servers = []

    def start(session: Session) -> Served:
        bound = bind(None)
        server = make_server(session)
        ready, startup = threading.Event(), server.startup

        async def started(sockets: Any = None) -> None:
            await startup(sockets=sockets)
            ready.set()

        server.startup = started  # type: ignore[method-assign]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        servers.append((server, thread, bound))
        assert ready.wait(60)
        return Served(session, address(session, bound))

    yield start
    for server, thread, bound in servers:
        server.should_exit = True
        thread.join(20)
        bound.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium of this system."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need playwright")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the PATH")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def new_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens pages; whatever a page complains of on its console fails the test."""
    contexts, complaints = [], []

    def open_page(width: int = 1280, height: int = 800, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.complaints = complaints
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []

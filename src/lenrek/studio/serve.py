"""The studio on a port of this machine, until it is interrupted."""

from __future__ import annotations

import contextlib
import socket
import webbrowser
from collections.abc import Callable

import uvicorn

from lenrek.errors import OptionError
from lenrek.studio.app import create_app
from lenrek.studio.session import Session

HOST = "127.0.0.1"
USUAL_PORT = 8420
MOST_CONNECTIONS = 128


def bind(port: int | None) -> socket.socket:
    """A socket on this machine's own address, which no other machine can reach.

    Args:
        port: None is the usual one, or any other where that is taken.
    Raises:
        OptionError: the port is taken.
    """
    for wanted in (USUAL_PORT, 0) if port is None else (port,):
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((HOST, wanted))
            return found
        except OSError as error:
            found.close()
            reason = error.strerror
    raise OptionError(
        f"studio: port {port} cannot be used: {reason}.\n  Hint: leave --port out, and a free one is taken."
    )


def address(session: Session, bound: socket.socket) -> str:
    """What to open in a browser."""
    return f"http://{HOST}:{bound.getsockname()[1]}/?token={session.token}"


def serve(session: Session, bound: socket.socket, *, browser: bool, say: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Args:
        bound: from `bind`.
        browser: open the page.
        say: told the address once it is served.
    """
    server = make_server(session)
    ready = server.startup

    async def startup(sockets: list[socket.socket] | None = None) -> None:
        await ready(sockets=sockets)
        if not server.should_exit:
            say(address(session, bound))
            if browser:
                webbrowser.open(address(session, bound))

    server.startup = startup  # type: ignore[method-assign]
    with contextlib.suppress(KeyboardInterrupt):  # the way to end it
        server.run(sockets=[bound])


def make_server(session: Session) -> uvicorn.Server:
    """The server, which writes no log: requests hold the token."""
    return uvicorn.Server(
        uvicorn.Config(
            create_app(session),
            log_level="critical",
            access_log=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=1,
            server_header=False,
        )
    )

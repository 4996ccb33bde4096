"""Model calls: one at a time in a thread of their own, few waiting, stopped when nobody wants the answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from fastapi import Request
    from torch import nn

MOST_WAITING = 32

Found = TypeVar("Found")
_here = threading.local()  # .unwanted: the event of the call that this thread runs


class BusyError(Exception):
    """So many calls wait already that another would wait for too long."""


class UnwantedError(Exception):
    """The page that asked has gone; raised inside the call, at the next layer, and so ends it."""


def stop_if_unwanted(*_: object) -> None:
    """Raise `UnwantedError` where the page of the running call has gone: a forward pre-hook of every layer."""
    unwanted = getattr(_here, "unwanted", None)
    if unwanted is not None and unwanted.is_set():
        raise UnwantedError


def stoppable(network: nn.Module) -> nn.Module:
    """The same network, whose layers ask before they run whether anybody still waits."""
    for module in network.modules():
        module.register_forward_pre_hook(stop_if_unwanted)
    return network


class Calls:
    """Runs functions one after the other: PyTorch divides a single one among all cores."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="studio")
        self._waiting = 0

    async def run(self, request: Request, function: Callable[..., Found], *arguments: Any) -> Found:
        """What `function(*arguments)` returns.

        Raises:
            BusyError: `MOST_WAITING` calls wait or run.
            UnwantedError: the page has gone.
        """
        if self._waiting >= MOST_WAITING:
            raise BusyError
        unwanted = threading.Event()
        self._waiting += 1
        try:
            call = asyncio.wrap_future(self._threads.submit(_stoppable, unwanted, function, arguments))
            gone = asyncio.ensure_future(_gone(request))
            try:
                await asyncio.wait((call, gone), return_when=asyncio.FIRST_COMPLETED)
                if not call.done():
                    raise UnwantedError
                return call.result()
            finally:
                unwanted.set()
                gone.cancel()
                call.cancel()  # one that has not begun never will
        finally:
            self._waiting -= 1

    def begin(self, function: Callable[[], Any]) -> None:
        """Run it when there is time; what becomes of it is nobody's concern."""
        self._threads.submit(_stoppable, threading.Event(), function, ())

    def close(self) -> None:
        """Let what waits never begin."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _stoppable(unwanted: threading.Event, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    _here.unwanted = unwanted
    try:
        stop_if_unwanted()
        return function(*arguments)
    finally:
        _here.unwanted = None


async def _gone(request: Request) -> None:
    """Returns when the page has closed the connection; the body has been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass

"""The door: only pages of this machine that know the session's token, and what pages may do."""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
READING = {"GET", "HEAD", "OPTIONS"}
TOKEN_HEADER = "x-lenrek-token"
# Styles may stand in attributes: drawings have them. Scripts come from our own files alone.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}


class Guard:
    """Serves `app` to those who know `token`.

    A request must name this machine in its Host header: a foreign page whose name was made to point here (DNS
    rebinding) names itself. The token comes once in the address that was printed, then as a cookie that other sites
    cannot make a browser send; programs send it in the header X-Lenrek-Token.
    """

    def __init__(self, app: Any, token: str) -> None:
        self.app, self._token = app, token
        self.cookie = f"lenrek-studio-{hashlib.sha256(token.encode()).hexdigest()[:8]}"  # several studios side by side

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no web sockets here
        headers = Headers(scope=scope)

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                own = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    own.setdefault(name, value)
            await send(message)

        answer = self._refusal(scope, headers) or self.app
        await answer(scope, receive, send_guarded)

    def _refusal(self, scope: Any, headers: Headers) -> Response | None:
        """The answer to a request that is not let in, or that has just shown the token."""
        host = headers.get("host", "")
        if _name(host) not in LOOPBACK:
            return PlainTextResponse("The studio answers to this machine alone.\n", 421)
        origin = headers.get("origin")
        if scope["method"] not in READING and origin is not None and urlsplit(origin).netloc != host:
            return PlainTextResponse("The studio takes nothing from other pages.\n", 403)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        for name, value in query:
            if name == "token" and self._is_token(value):
                rest = urlencode([pair for pair in query if pair[0] != "token"])
                answer = RedirectResponse(scope["path"] + (f"?{rest}" if rest else ""), 303)
                answer.set_cookie(self.cookie, self._token, httponly=True, samesite="strict", path="/")
                return answer
        if self._is_token(headers.get(TOKEN_HEADER, "")) or self._is_token(self._cookie_of(headers)):
            return None
        return PlainTextResponse("Open the address that lenrek studio printed: it holds the key to this page.\n", 403)

    def _cookie_of(self, headers: Headers) -> str:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return ""
        return "" if found is None else found.value

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode())


def _name(host: str) -> str:
    """A Host header without its port.

    >>> _name("127.0.0.1:8420"), _name("[::1]:80"), _name("localhost"), _name("evil.example:127")
    ('127.0.0.1', '::1', 'localhost', 'evil.example')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] or host if ":" in host else host

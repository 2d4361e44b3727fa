"""Who may ask the studio for something, how much they may send, and what every answer tells the browser.

The studio binds to this machine alone. A page of another site that is open in the same browser could still send it
requests, directly or by a name of its own that it points at 127.0.0.1 (DNS rebinding): so the Host of a request must
be this machine, and its Origin, where the browser tells one, the studio itself.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

UPLOAD = 256 * 2**20
"""Bytes of the largest upload."""

REQUEST = 2**20
"""Bytes of the largest request that is not an upload."""

UPLOADS = ("/api/sources",)

PAGES = ("/", "/exhibit")
"""What may be opened from another site, by a link."""

COOKIE = "phosphene_token"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
]


class Guard:
    """Passes on to `app` what may be asked.

    `hosts` are the names that the studio is asked under besides loopback ones and, with a `token`, IP addresses. With
    a `token` every request must have it: in a link once (`?token=`), which makes it a cookie, or as a bearer.
    """

    def __init__(self, app: App, *, hosts: Iterable[str] = (), token: str | None = None) -> None:
        self._app = app
        self._hosts = {each.lower() for each in hosts}
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _answer(send, *refusal)
            return
        if self._token is not None and not self._is_known(scope, headers):
            if hmac.compare_digest(_asked(scope).encode(), self._token.encode()):
                cookie = f"{COOKIE}={self._token}; Path=/; HttpOnly; Secure; SameSite=Strict"
                place = (scope["path"] if scope["path"] in PAGES else "/").encode()
                await _answer(send, 303, "", [(b"location", place), (b"set-cookie", cookie.encode())])
            else:
                await _answer(send, 401, "open the studio by the link with its token that it printed when it started")
            return
        limit = UPLOAD if scope["path"] in UPLOADS else REQUEST
        if int(headers.get("content-length") or 0) > limit:
            await _answer(send, 413, f"at most {limit // 2**20} MB are taken here")
            return
        await self._app(scope, _bounded(receive, limit), _with_headers(send))

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        if not self._is_own(headers.get("host", "")):
            return 403, "the studio does not answer to this name: open it by the address that it printed"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != headers["host"].lower():
            return 403, "the studio answers its own pages only"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 18:
            return 400, "content-length must be a number"
        site = headers.get("sec-fetch-site", "none")
        opened = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET" and scope["path"] in PAGES
        if site in ("cross-site", "same-site") and not opened:
            return 403, "the studio answers its own pages only"
        return None

    def _is_own(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        if name in ("localhost", "127.0.0.1", "::1") or name in self._hosts:
            return True
        return self._token is not None and is_address(name)  # a rebinding attack needs a name

    def _is_known(self, scope: Scope, headers: dict[str, str]) -> bool:
        assert self._token is not None
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            try:
                cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
            except CookieError:
                cookie = None
            given = "" if cookie is None else cookie.value
        return hmac.compare_digest(given.encode(), self._token.encode())


def is_address(name: str) -> bool:
    """Return whether `name` is an IP address.

    >>> is_address("192.168.0.7"), is_address("example.org")
    (True, False)
    """
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach what is bound to `host`."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def own_names() -> list[str]:
    """Return the names that other machines of the network may know this one by."""
    name = socket.gethostname()
    return [name, f"{name}.local"]


def _asked(scope: Scope) -> str:
    return parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]


async def _answer(send: Send, status: int, text: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    body = json.dumps({"error": text}).encode() if text else b""
    given = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers, *HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": given})
    await send({"type": "http.response.body", "body": body})


class TooMuchError(Exception):
    """More was sent than is taken."""


def _bounded(receive: Receive, limit: int) -> Receive:
    received = 0

    async def bounded() -> MutableMapping[str, Any]:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise TooMuchError
        return message

    return bounded


def _with_headers(send: Send) -> Send:
    async def with_headers(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *HEADERS]}
        await send(message)

    return with_headers

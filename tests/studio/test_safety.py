"""Who may ask the studio, and what no request may have."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from phosphene.errors import OutputError
from phosphene.studio.app import Studio, create_app
from phosphene.studio.events import BEHIND, REMEMBERED, Events
from phosphene.studio.folder import Folder
from phosphene.studio.pages import static_files
from phosphene.studio.records import Records
from phosphene.studio.safety import POLICY, UPLOAD, Guard, is_loopback

SECRET = "a secret outside of the folder"
OWN = {"host": "127.0.0.1:7860"}


async def _hello(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def answer(guard: Guard, method: str = "GET", path: str = "/", **kwargs: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=guard)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7860") as client:
            return await client.request(method, path, **kwargs)

    return asyncio.run(ask())


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost", "[::1]:80", "LOCALHOST:1"])
def test_this_machine_is_answered(host: str) -> None:
    reply = answer(Guard(_hello), headers={"host": host})
    assert reply.text == "hello"
    assert reply.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.7", "localhost.evil", "", "[::1"]
)
def test_other_names_are_refused(host: str) -> None:
    assert answer(Guard(_hello), headers={"host": host}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
    ],
)
def test_other_pages_are_refused(headers: dict[str, str]) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert answer(Guard(_hello), method, "/api/jobs", headers={**OWN, **headers}).status_code == 403


def test_a_link_from_elsewhere_opens_the_page_only() -> None:
    headers = {**OWN, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert answer(Guard(_hello), headers=headers).status_code == 200
    assert answer(Guard(_hello), path="/api/state", headers=headers).status_code == 403


def test_with_a_token_nothing_is_told_without_it() -> None:
    guard = Guard(_hello, hosts=["house"], token="t0ken")
    for host in ("192.168.0.7:7860", "house:7860", "127.0.0.1"):
        assert answer(guard, headers={"host": host}).status_code == 401
        assert answer(guard, path="/?token=wrong", headers={"host": host}).status_code == 401
        assert answer(guard, headers={"host": host, "authorization": "Bearer t0ken"}).text == "hello"
        opened = answer(guard, path="/?token=t0ken", headers={"host": host})
        assert opened.status_code == 303
        assert "HttpOnly" in opened.headers["set-cookie"]
        cookie = opened.headers["set-cookie"].split(";")[0]
        assert answer(guard, headers={"host": host, "cookie": cookie}).text == "hello"
    assert answer(guard, headers={"host": "evil.example", "authorization": "Bearer t0ken"}).status_code == 403


def test_too_much_is_refused() -> None:
    guard = Guard(_hello)
    too_long = {**OWN, "content-length": str(UPLOAD + 1)}
    assert answer(guard, "POST", "/api/sources", headers=too_long).status_code == 413
    assert answer(guard, "POST", "/api/jobs", content=b" " * (2**20 + 1)).status_code == 413
    assert answer(guard, "POST", "/api/sources", content=b" " * (2**20 + 1)).status_code == 200
    assert answer(guard, "POST", headers={**OWN, "content-length": "-1"}).status_code == 400


@pytest.mark.parametrize(("host", "own"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False)])
def test_which_addresses_are_this_machine_only(host: str, own: bool) -> None:
    assert is_loopback(host) is own


def test_names_lead_nowhere_but_into_the_folder(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "studio")
    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")
    (folder.root / "link").symlink_to(tmp_path / "secret")
    assert folder.inside("sources/a.png") == folder.root / "sources" / "a.png"
    for name in ("../secret", "/etc/passwd", "sources/../../secret", "link", "", ".", "a\0b", "x" * 5000):
        with pytest.raises(OutputError, match="not in the studio's folder"):
            folder.inside(name)


def test_no_path_of_a_request_leaves_the_folder(tmp_path: Path) -> None:
    """Thousands of paths: none finds what is outside, none is answered with a traceback."""
    folder = Folder(tmp_path / "studio")
    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")
    (folder.root / "link").symlink_to(tmp_path / "secret")
    records = Records(folder.database)
    records.add_job(id="abc", kind="dream", title="x", recipe="{}", output="link", files='["link"]', state="done")
    records.add_job(id="abd", kind="dream", title="x", recipe="{}", output="x", files='["../secret"]', state="done")
    app = create_app(folder)
    app.state.studio = studio = Studio.__new__(Studio)  # without its processes
    studio.folder, studio.records, studio.pages, studio.ask = folder, records, static_files(), _refuse  # type: ignore
    studio.queue = SimpleNamespace(previews={}, **dict.fromkeys(("delete", "restore", "cancel", "retry"), str))  # type: ignore
    guard = Guard(app)  # type: ignore[arg-type]
    dice = random.Random(5)

    async def ask() -> None:
        transport = httpx.ASGITransport(app=guard, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for _ in range(2000):
                method = dice.choice(["GET", "GET", "GET", "DELETE", "POST"])
                reply = await client.request(method, httpx.URL("http://localhost", raw_path=_path(dice, tmp_path)))
                assert reply.status_code < 500, reply.url
                assert SECRET not in reply.text
                assert "Traceback" not in reply.text

    asyncio.run(ask())
    records.close()


async def _refuse(*_: Any) -> None:
    raise OutputError("not now")


def _path(dice: random.Random, outside: Path) -> bytes:
    starts = ["/static/", "/api/jobs/", "/api/jobs/abc/", "/api/jobs/abd/", "/api/sources/", "/", "//"]
    ends = ["", "/file", "/thumb", "/picture", "/see?net=../x", "/preview", "/file?index=-1", "/file?index=0"]
    pieces = ["..", "%2e%2e", "%252e%252e", "/", "%2f", "%5c", "\\", "secret", "link", "%00", "%ff", "abc", "~", "C:"]
    pieces += [str(outside), "index.html", "vendor", ".studio", "studio.db", "%c0%ae", "'", '"', ";", "%e9", "0" * 300]
    middle = "".join(dice.choice(pieces) for _ in range(dice.randrange(9)))
    return (dice.choice(starts) + middle + dice.choice(ends)).encode()


def test_a_page_that_does_not_read_harms_nobody() -> None:
    async def run() -> None:
        events = Events(dict)
        sleeping, awake = events.listen(None), events.listen(None)
        assert (await anext(sleeping)).name == (await anext(awake)).name == "snapshot"
        for number in range(BEHIND + 10):
            events.send("x", number)
            assert (await anext(awake)).data == number
        assert [each async for each in sleeping] == []  # disconnected; it reconnects when it reads again
        events.send("x", "last")
        assert (await anext(awake)).data == "last"
        await awake.aclose()  # type: ignore[attr-defined]  # it is a generator

    asyncio.run(run())


def test_a_page_that_was_away_for_too_long_gets_a_snapshot() -> None:
    async def first(events: Events, last: str) -> str:
        listener = events.listen(last)
        message = await anext(listener)
        await listener.aclose()  # type: ignore[attr-defined]
        return message.name

    async def run() -> None:
        events, other = Events(dict), Events(dict)
        listener = events.listen(None)
        start = (await anext(listener)).id
        events.send("one", 1)
        assert await first(events, start) == "one"
        for _ in range(REMEMBERED):
            events.send("more", 1)
        for last in (start, "", "nonsense", "x-1", start.split("-")[0] + "-99999"):
            assert await first(events, last) == "snapshot"
        assert await first(other, start) == "snapshot"

    asyncio.run(run())

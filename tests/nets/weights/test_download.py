"""Fetching: a loopback server in the place of the official hosts, in all its moods."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import io
import multiprocessing
import re
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from phosphene.errors import WeightsError
from phosphene.nets.weights import archives, download, store
from phosphene.nets.weights.download import Mirror
from phosphene.nets.weights.store import Digest

DATA = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(DATA).hexdigest()
KNOWN = Digest("sha256", SHA256[:8])
MOST = 2_000_000


@dataclass
class Server:
    """The behaviour of the server, and the requests that it got."""

    url: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    cuts: int = 0
    etag: str = '"one"'
    ranges: bool = True
    data: bytes = DATA
    length: bool = True
    pause: float = 0.0
    silence: float = 0.0


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append((self.path, wanted))
            if self.path == "/missing":
                self.send_error(404)
                return
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/good.bin")
                self.end_headers()
                return
            self.answer(wanted)

        def answer(self, wanted: str | None) -> None:
            start = 0
            same = self.headers.get("If-Range") in (None, state.etag)
            if wanted and state.ranges and same:
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])  # type: ignore[index]
                if start >= len(state.data):
                    self.send_error(416)
                    return
            self.send_response(206 if start else 200)
            if state.length:
                self.send_header("Content-Length", str(len(state.data) - start))
            self.send_header("ETag", state.etag)
            self.end_headers()
            body = state.data[start:]
            time.sleep(state.silence)
            if state.cuts:
                state.cuts -= 1
                body = body[: len(body) // 3]
            with contextlib.suppress(ConnectionError):  # of a client that has had enough
                for at in range(0, len(body), 1 << 16):
                    self.wfile.write(body[at : at + (1 << 16)])
                    self.wfile.flush()
                    time.sleep(state.pause)

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "nets"


def fetch(server: Server, *paths: str, digest: Digest = KNOWN, **more: object) -> Path:
    mirrors = [Mirror(server.url + path) for path in paths or ("/good.bin",)]
    return download.fetch("net", "net.bin", mirrors, digest, most=MOST, **more)  # type: ignore[arg-type]


def leftovers(cache: Path) -> list[str]:
    return sorted(each.name for each in (cache / "net").iterdir())


def test_a_good_file_is_kept_and_not_fetched_again(server: Server, cache: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    path = fetch(server, progress=lambda done, total: seen.append((done, total)))
    assert path == cache / "net" / "net.bin"
    assert path.read_bytes() == DATA
    assert seen[0] == (0, len(DATA))
    assert seen[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert leftovers(cache) == ["about.json", "net.bin"]
    found = store.find("net")
    assert found is not None
    assert found[1] == store.StoredFile("net.bin", len(DATA), SHA256, f"{server.url}/good.bin", True)
    fetch(server)
    assert len(server.asked) == 1


def test_without_a_length_the_end_is_the_end(server: Server) -> None:
    server.length = False
    totals = []
    fetch(server, progress=lambda done, total: totals.append(total))
    assert set(totals) == {None}


def test_links_planted_where_a_file_is_downloaded_are_not_followed(server: Server, cache: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (cache / "net").mkdir(parents=True)
    for name in (".good.bin.part", ".good.bin.etag"):
        (cache / "net" / name).symlink_to(victim)
    assert fetch(server).read_bytes() == DATA
    assert victim.read_text() == "precious"


def test_a_redirect_is_followed(server: Server) -> None:
    assert fetch(server, "/moved").read_bytes() == DATA


def test_a_cut_connection_goes_on_where_it_was(server: Server) -> None:
    server.cuts = 3
    assert fetch(server).read_bytes() == DATA
    starts = [int(wanted[6:-1]) for _, wanted in server.asked if wanted]
    assert len(server.asked) == 4
    assert starts == sorted(starts)
    assert starts[0] == len(DATA) // 3


def test_a_server_without_ranges_is_begun_again(server: Server) -> None:
    server.cuts, server.ranges = 2, False
    assert fetch(server).read_bytes() == DATA


def test_what_was_left_by_a_run_that_was_stopped_is_used(server: Server, cache: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch(server, progress=lambda done, total: _stop_at(done, 300_000))
    assert store.find("net") is None
    fetch(server)
    assert server.asked[-1][1] is not None
    assert leftovers(cache) == ["about.json", "net.bin"]


def _stop_at(done: int, where: int) -> None:
    if done > where:
        raise KeyboardInterrupt


def test_another_file_under_the_same_name_is_begun_again(server: Server) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch(server, progress=lambda done, total: _stop_at(done, 300_000))
    server.etag, server.data = '"two"', DATA[::-1]
    digest = Digest("sha256", hashlib.sha256(server.data).hexdigest())
    assert fetch(server, digest=digest).read_bytes() == server.data


def test_a_whole_part_that_was_never_kept_is_fetched_again(server: Server, cache: Path) -> None:
    (cache / "net").mkdir(parents=True)
    (cache / "net" / ".good.bin.part").write_bytes(DATA)
    assert fetch(server).read_bytes() == DATA
    assert [wanted is not None for _, wanted in server.asked] == [True, False]


def test_a_slow_server_is_waited_for(server: Server) -> None:
    server.pause = 0.05
    assert fetch(server, timeout=0.5).read_bytes() == DATA  # more than a timeout in all, never between two pieces


def test_a_server_that_says_nothing_is_given_up(server: Server) -> None:
    server.silence = 1.0
    with pytest.raises(WeightsError, match="timed out"):
        fetch(server, timeout=0.2)


def test_a_wrong_hash_is_told_and_nothing_is_kept(server: Server, cache: Path) -> None:
    server.data = DATA[:-1] + b"!"
    with pytest.raises(WeightsError) as caught:
        fetch(server)
    assert "SHA-256 is " + hashlib.sha256(server.data).hexdigest() in str(caught.value)
    assert f"must be SHA-256 beginning with {SHA256[:8]}" in str(caught.value)
    assert leftovers(cache) == []


def test_mirrors_are_tried_in_their_order(server: Server) -> None:
    assert fetch(server, "/missing", "/moved").read_bytes() == DATA
    assert [path for path, _ in server.asked] == ["/missing", "/moved", "/good.bin"]


def test_without_a_network_there_is_one_error_that_helps(cache: Path) -> None:
    mirrors = [Mirror("http://127.0.0.1:1/net.bin"), Mirror("http://127.0.0.1:1/other.bin")]
    digest = Digest("sha1", "0123456789abcdef0123456789abcdef01234567")
    with pytest.raises(WeightsError) as caught:
        download.fetch("net", "net.bin", mirrors, digest, most=MOST)
    text = str(caught.value)
    for part in ("http://127.0.0.1:1/net.bin", "http://127.0.0.1:1/other.bin", "Connection refused", digest.value):
        assert part in text
    assert text.endswith("phosphene nets add net FILE")
    assert "\n" not in text


def test_a_flood_is_stopped(server: Server, cache: Path) -> None:
    server.data = bytes(3_000_000)
    with pytest.raises(WeightsError, match="has 3000000 bytes, more than 2000000"):
        fetch(server)
    server.length = False
    with pytest.raises(WeightsError, match="more than 2000000 bytes"):
        fetch(server)
    assert leftovers(cache) == []


def test_other_schemes_are_not_followed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(DATA)
    with pytest.raises(WeightsError, match="not a web address"):
        download.fetch("net", "net.bin", [Mirror(f"file://{tmp_path}/secret")], KNOWN, most=MOST)


def _fetch_elsewhere(url: str, queue: multiprocessing.Queue[str]) -> None:
    queue.put(str(download.fetch("net", "net.bin", [Mirror(url)], KNOWN, most=MOST)))


def test_two_processes_fetch_once(server: Server, cache: Path) -> None:
    server.pause = 0.02
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    workers = [context.Process(target=_fetch_elsewhere, args=(f"{server.url}/good.bin", queue)) for _ in range(2)]
    for each in workers:
        each.start()
    paths = {queue.get(timeout=30) for _ in workers}
    for each in workers:
        each.join()
    assert paths == {str(cache / "net" / "net.bin")}
    assert len(server.asked) == 1


# Archives.


def zipped(name: str, data: bytes, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        archive.writestr("LICENSE", "free")
        archive.writestr(name, data)
    return out.getvalue()


def tarred(name: str, data: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for each, content in (("net/README", b"hello"), (name, data)):
            info = tarfile.TarInfo(each)
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            info.type, info.linkname = (kind if each == name else tarfile.REGTYPE), "/etc/passwd"
            info.size = len(content) if info.type == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize("packed", [zipped("deep/inside/net.bin", DATA), tarred("googlenet/net.bin", DATA)])
def test_a_member_of_an_archive_is_what_is_kept(server: Server, cache: Path, packed: bytes) -> None:
    server.data = packed
    path = download.fetch("net", "kept.bin", [Mirror(f"{server.url}/x", "net.bin")], KNOWN, most=MOST)
    assert path.read_bytes() == DATA
    assert leftovers(cache) == ["about.json", "kept.bin"]


@pytest.mark.parametrize(
    ("packed", "says"),
    [
        (zipped("other.bin", DATA), "has no file 'net.bin'"),
        (tarred("other.bin", DATA), "has no file 'net.bin'"),
        (tarred("net.bin", DATA, tarfile.SYMTYPE), "has no file 'net.bin'"),
        (zipped("net.bin", DATA)[:-200], "damaged archive"),
        (tarred("net.bin", DATA)[:-200], "damaged archive"),
        (b"neither", "damaged archive"),
        (zipped("net.bin", bytes(5_000_000)), "unpacks to more than"),
        (tarred("net.bin", bytes(5_000_000)), "too many bytes|more than"),
        (gzip.compress(bytes(50_000_000)), "damaged archive|has no file"),
    ],
)
def test_bad_archives_are_one_line(tmp_path: Path, packed: bytes, says: str) -> None:
    path = tmp_path / "archive"
    path.write_bytes(packed)
    with pytest.raises(WeightsError, match=says):
        archives.extract(path, "net.bin", tmp_path / "out", MOST)


def test_a_member_goes_nowhere_but_where_it_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(tarred("../../../net.bin", DATA))
    archives.extract(path, "net.bin", tmp_path / "out", MOST)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["archive", "out"]


# The store.


def test_what_is_half_there_is_not_there(cache: Path, server: Server) -> None:
    path = fetch(server)
    path.write_bytes(DATA[:-1])
    assert store.find("net") is None
    path.write_bytes(DATA)
    (cache / "net" / "about.json").write_text("{", encoding="utf-8")
    assert store.find("net") is None
    fetch(server)
    assert store.find("net") is not None


def test_a_record_cannot_point_elsewhere(cache: Path, server: Server) -> None:
    fetch(server)
    about = cache / "net" / "about.json"
    about.write_text(about.read_text().replace('"net.bin"', '"../../net.bin"'), encoding="utf-8")
    found = store.find("net")
    assert found is None or found[0].parent == cache / "net"


def test_removing_frees_all(server: Server, cache: Path) -> None:
    fetch(server)
    assert store.remove("net") > len(DATA)
    assert store.find("net") is None
    assert store.remove("net") == 0


def test_the_folder_is_the_users_own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(store.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert store.folder() == tmp_path / "xdg" / "phosphene" / "nets"


def test_a_folder_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "file"))
    with pytest.raises(WeightsError, match=rf"cannot be written .*set {store.VARIABLE}"):
        download.fetch("net", "net.bin", [], KNOWN, most=MOST)

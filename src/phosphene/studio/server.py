"""The studio as a program: its address, its server, and its end."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phosphene.errors import MissingExtraError, OutputError, PhospheneError


@dataclass(frozen=True)
class Address:
    """Where the studio is: `link` opens it; `token` is None where only this machine can reach it."""

    link: str
    folder: Path
    token: str | None
    fingerprint: str | None = None
    """The SHA-256 of the certificate, where the connection is encrypted."""


@dataclass(frozen=True)
class Exhibit:
    """What an exhibition shows: the work of the recipe in the file `recipe`, or the camera's dream where that is None.

    `diary` is a folder of pictures that are dreamt on while nobody is before the camera.
    """

    recipe: Path | None
    diary: Path | None = None


def serve(
    folder: Path, host: str, port: int, on_start: Callable[[Address], object], exhibit: Exhibit | None = None
) -> None:
    """Serve the studio of `folder`, or an `exhibit` there, until Ctrl-C; call `on_start` when it can be opened.

    Raises:
        MissingExtraError: if the packages that it needs are not installed.
        OutputError: for a folder that cannot be written, or an address that is in use.
        PhospheneError: if the exhibit cannot be shown.
    """
    try:
        import uvicorn

        from phosphene.studio.app import create_app
        from phosphene.studio.exhibit import begin
    except ModuleNotFoundError:
        raise MissingExtraError("the studio", "studio") from None
    from phosphene.studio.certificate import certificate
    from phosphene.studio.folder import Folder
    from phosphene.studio.safety import Guard, is_loopback, own_names

    token = None if is_loopback(host) else secrets.token_urlsafe(24)
    place = Folder(folder)
    bound = _bind(host, port)
    name = _outward() if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    shown = exhibit or Exhibit(None)
    tls: dict[str, Any] = {}
    fingerprint = None
    if token is not None:
        names = [*own_names(), *(each for each in (host, name.strip("[]")) if each not in ("0.0.0.0", "::"))]
        public, secret, fingerprint = certificate(place.root / ".studio", names)
        tls = {"ssl_certfile": str(public), "ssl_keyfile": str(secret)}
    page = ("exhibit" if exhibit is not None else "") + ("" if token is None else f"?token={token}")
    link = f"{'https' if tls else 'http'}://{name}:{bound.getsockname()[1]}/{page}"
    app = create_app(place)
    guard = Guard(app, hosts=[host, *(own_names() if token else ())], token=token)
    config = uvicorn.Config(
        guard,
        log_level="error",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=2,
        **tls,
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            try:
                await begin(app.state.studio, shown.recipe, shown.diary)
            except PhospheneError as problem:
                problems.append(problem)
                self.should_exit = True
            else:
                on_start(Address(link, place.root, token, fingerprint))

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            app.state.studio.events.close()  # or the server would wait for pages that are open
            await super().shutdown(sockets)

    problems: list[PhospheneError] = []
    Server(config).run(sockets=[bound])
    for each in problems:
        raise each


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as problem:
        raise OutputError(
            f"the studio cannot listen on {host}:{port} ({problem.strerror or problem}): choose another --port"
        ) from None
    return bound


def _outward() -> str:
    """Return the address that other machines reach this one by, as far as it can tell."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()

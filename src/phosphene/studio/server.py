"""The studio as a program: its address, its server, and its end."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from phosphene.errors import MissingExtraError, OutputError


@dataclass(frozen=True)
class Address:
    """Where the studio is: `link` opens it; `token` is None where only this machine can reach it."""

    link: str
    folder: Path
    token: str | None
    fingerprint: str | None = None
    """The SHA-256 of the certificate, where the connection is encrypted."""


def serve(folder: Path, host: str, port: int, on_start: Callable[[Address], object]) -> None:
    """Serve the studio of `folder` until Ctrl-C; call `on_start` when it can be opened. A `port` of 0 is a free one.

    Raises:
        MissingExtraError: if the packages that it needs are not installed.
        OutputError: for a folder that cannot be written, or an address that is in use.
    """
    try:
        import uvicorn

        from phosphene.studio.app import create_app
    except ModuleNotFoundError:
        raise MissingExtraError("the studio", "studio") from None
    from phosphene.studio.certificate import certificate
    from phosphene.studio.folder import Folder
    from phosphene.studio.safety import Guard, is_loopback, own_names

    token = None if is_loopback(host) else secrets.token_urlsafe(24)
    place = Folder(folder)
    bound = _bind(host, port)
    shown = f"[{host}]" if ":" in host else host
    if host in ("0.0.0.0", "::"):
        shown = _outward()
    tls: dict[str, str] = {}
    fingerprint = None
    if token is not None:
        names = [*own_names(), *(each for each in (host, shown.strip("[]")) if each not in ("0.0.0.0", "::"))]
        public, secret, fingerprint = certificate(place.root / ".studio", names)
        tls = {"ssl_certfile": str(public), "ssl_keyfile": str(secret)}
    link = f"{'https' if tls else 'http'}://{shown}:{bound.getsockname()[1]}/" + (
        "" if token is None else f"?token={token}"
    )
    app = create_app(place)
    guard = Guard(app, hosts=[host, *(own_names() if token else ())], token=token)
    config = uvicorn.Config(
        guard,
        log_level="error",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=2,
        ssl_certfile=tls.get("ssl_certfile"),
        ssl_keyfile=tls.get("ssl_keyfile"),
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            on_start(Address(link, place.root, token, fingerprint))

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            app.state.studio.events.close()  # or the server would wait for pages that are open
            await super().shutdown(sockets)

    Server(config).run(sockets=[bound])


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

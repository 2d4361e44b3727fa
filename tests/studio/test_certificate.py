"""The certificate that the studio makes itself."""

from __future__ import annotations

import ssl
from pathlib import Path

from phosphene.studio.certificate import certificate


def test_a_client_that_trusts_it_connects_by_name_and_address(tmp_path: Path) -> None:
    public, secret, fingerprint = certificate(tmp_path, ["house", "192.168.0.7", "house"])
    assert secret.stat().st_mode & 0o777 == 0o600
    assert len(fingerprint) == 95
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(public, secret)
    for name in ("house", "192.168.0.7"):
        trusting = ssl.create_default_context(cafile=str(public))
        assert shakes_hands(trusting, served, name)
    assert not shakes_hands(ssl.create_default_context(cafile=str(public)), served, "evil.example")
    assert certificate(tmp_path, ["house"])[2] != fingerprint


def shakes_hands(trusting: ssl.SSLContext, served: ssl.SSLContext, name: str) -> bool:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(back, there, server_hostname=name)
    server = served.wrap_bio(there, back, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError:
            return False
    return True

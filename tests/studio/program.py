"""A studio in a process of its own, as its users have it, with a client that asks it."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

PATIENCE = 240.0
"""Seconds until a test gives up: what takes a second takes a minute where many processes share two cores."""


def _end_with_its_parent() -> None:
    """Ask Linux to end this process when the tests do, even if they are killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class Program:
    """`phosphene studio` for `folder`, on a port that is free."""

    def __init__(self, folder: Path, port: int = 0, *options: str) -> None:
        command = [sys.executable, "-m", "phosphene", "studio", "--port", str(port), "--folder", str(folder), *options]
        self.folder = folder
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=_end_with_its_parent
        )
        assert self.process.stdout is not None
        self.link = self.process.stdout.readline().strip()
        assert self.link, self.process.stderr.read() if self.process.stderr else ""
        self.port = int(self.link.split("/")[2].rsplit(":", 1)[1])
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}/", timeout=PATIENCE)

    def ask(self, method: str, path: str, **kwargs: Any) -> Any:
        """What the studio answers; an error fails the test."""
        answer = self.client.request(method, f"/api/{path}", **kwargs)
        assert answer.is_success, answer.text
        return answer.json()

    def add(self, photo: Path) -> str:
        """The SHA-256 of an uploaded photo."""
        return str(self.ask("POST", "sources", content=photo.read_bytes())["source"]["sha256"])

    def job(self, id: str) -> dict[str, Any]:
        """A job as the studio tells it."""
        found: dict[str, Any] = self.ask("GET", f"jobs/{id}")
        return found

    def wait(self, id: str, *states: str, progress: float = 0.0) -> dict[str, Any]:
        """A job, when it has come to one of these states, and so far."""
        until = time.monotonic() + PATIENCE
        while True:
            job = self.job(id)
            if job["state"] in states and job["progress"] >= progress:
                return job
            assert job["state"] != "failed" or "failed" in states, job["error"]
            assert time.monotonic() < until, f"{job['state']} at {job['progress']}"
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self._end()

    def stop(self) -> None:
        """End it as Ctrl-C would."""
        self.process.send_signal(signal.SIGINT)
        self._end()

    def _end(self) -> None:
        self.client.close()
        self.process.wait(30)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def events(lines: Iterator[str]) -> Iterator[tuple[str, str, Any]]:
    """The id, name and data of each event of a stream."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "event" in fields:
            yield fields.get("id", ""), fields["event"], json.loads(fields["data"])
            fields = {}


assert os.name == "posix", "the studio is killed with signals here"

"""Programs that begin at once: forked from a process that has imported PyTorch and phosphene, and started no threads.

To import them takes three seconds of processor time. Use these where it is tested what a program does, and how it ends:
by a signal, or at the end of a pipe. Each has its own process, folder, environment and files. How programs start is
tested with `subprocess`.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import types
from functools import cache
from pathlib import Path
from typing import Any

MAIN = "from phosphene.cli import main; main()"
"""The command line."""

IMPORTED = (
    *("phosphene.api", "phosphene.render.stills", "phosphene.render.films", "phosphene.render.learning"),
    *("phosphene.studio.server", "phosphene.studio.rendering", "phosphene.studio.looking"),
)
"""What most of them need, but no commands, which read the user's defaults when they are imported."""


class Program:
    """`python -c CODE ARGS` in the current folder and environment, as far as it resembles `subprocess.Popen`.

    Args:
        stdin, stderr: file descriptors; otherwise there is nothing to read, and `communicate` returns what is written.
    """

    def __init__(self, code: str, *args: str | Path, stdin: int | None = None, stderr: int | None = None) -> None:
        self.returncode: int | None = None
        out, their_out = os.pipe()
        err, their_err = os.pipe()
        told, telling = os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        self.stdout, self.stderr, self._told = open(out, "rb"), open(err, "rb"), open(told, "rb", buffering=0)  # noqa: SIM115
        asked = {"code": code, "args": [*map(str, args)], "folder": os.getcwd(), "environment": dict(os.environ)}
        files = [nothing if stdin is None else stdin, their_out, their_err if stderr is None else stderr, telling]
        data = json.dumps(asked).encode()
        socket.send_fds(_server(), [b"%16d" % len(data)], files)
        _server().sendall(data)
        for file in (their_out, their_err, telling, nothing):
            os.close(file)
        self.pid = int(self._told.readline())

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def poll(self) -> int | None:
        """Return how it ended, or None if it has not."""
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self.returncode = int(self._told.readline())
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return the exit status, or the signal below 0."""
        if self.returncode is None and not select.select([self._told], [], [], timeout)[0]:
            raise TimeoutError(f"process {self.pid} goes on after {timeout} s")
        status = self.poll()
        assert status is not None, "it has ended"
        return status

    def communicate(self, timeout: float | None = None) -> tuple[bytes, str]:
        """Return its output and its errors when it has ended, and close its files."""
        errors: list[bytes] = []
        reader = threading.Thread(target=lambda: errors.append(self.stderr.read()), daemon=True)
        reader.start()
        out = self.stdout.read()
        self.wait(timeout)
        reader.join()
        self.close()
        return out, errors[0].decode()

    def close(self) -> None:
        """Close its files."""
        for file in (self.stdout, self.stderr, self._told):
            file.close()


def run(code: str, *args: str | Path, data: bytes | None = None) -> subprocess.CompletedProcess[Any]:
    """Return what is left of a program that has ended: its output as bytes, and its errors as text."""
    ours, theirs = os.pipe()
    program = Program(code, *args, stdin=ours)
    os.close(ours)
    with open(theirs, "wb") as file:
        file.write(data or b"")
    out, errors = program.communicate()
    return subprocess.CompletedProcess([code, *args], program.wait(), out, errors)


@cache
def _server() -> socket.socket:
    """Return where programs are asked for; their server ends with this process."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, str(Path(__file__)), str(theirs.fileno())]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def end_with_its_parent() -> None:
    """Ask Linux to end this process when the one that began it ends, even if that is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _serve(listener: socket.socket) -> dict[str, Any]:
    """Fork a process whenever one is asked for; return in it, with what it was asked."""
    for module in IMPORTED:
        importlib.import_module(module)
    gc.freeze()  # or the end of each would copy all of this memory
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/task")) == 1, "another thread may hold locks when this one is forked"
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)
    waiting: set[int] = set()
    while True:
        size, files, _, _ = socket.recv_fds(listener, 16, 4)
        waiting = {each for each in waiting if not os.waitpid(each, os.WNOHANG)[0]}
        if not size:
            os._exit(0)
        data = listener.recv(int(size), socket.MSG_WAITALL)
        waiter = os.fork()
        if not waiter:  # it waits for the program
            end_with_its_parent()
            listener.close()
            pid = os.fork()
            if not pid:
                end_with_its_parent()
                signal.signal(signal.SIGINT, interrupted)
                return _become(json.loads(data), files)
            *theirs, told = files
            for file in theirs:
                os.close(file)
            os.write(told, b"%d\n" % pid)
            _, status = os.waitpid(pid, 0)
            os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
            os._exit(0)
        waiting.add(waiter)
        for file in files:
            os.close(file)


def _become(asked: dict[str, Any], files: list[int]) -> dict[str, Any]:
    """Make this process what was asked for."""
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    os.closerange(3, 1 + max(files))
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    sys.argv = ["-c", *asked["args"]]
    sys.path[0] = ""
    return asked


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1]))
    asked = _serve(socket.socket(fileno=int(sys.argv[1])))
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(compile(asked["code"], "<string>", "exec"), vars(main))

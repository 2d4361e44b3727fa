"""A process of the studio that computes, so that the server itself always answers.

Messages are tuples, of which the first is their name. A helper ends when its server does, however that ended.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from phosphene.errors import OutputError, PhospheneError
from phosphene.kinds import load

Message = tuple[Any, ...]

END: Message = ("end",)

_CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()
_PRELOADED = ["phosphene.studio.rendering", "phosphene.studio.looking"]
"""Imported once, by a process that all others are copies of: they begin at once, and share the memory."""

NICENESS = 2
"""So that pages are answered and previews shown while the processor is busy."""


class Inbox:
    """What a helper has been sent and has not read yet, and the way back."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        threading.Thread(target=self._receive, daemon=True).start()

    def wait(self) -> Message:
        """Return the next message, when it is there."""
        return self._messages.get()

    def look(self) -> Message | None:
        """Return the next message, or None if there is none."""
        try:
            return self._messages.get_nowait()
        except queue.Empty:
            return None

    def send(self, *message: Any) -> None:
        """Send a message to the server."""
        try:
            self._connection.send(message)
        except OSError:
            os._exit(0)

    def _receive(self) -> None:
        while True:
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                message = END  # the server was killed
            if message == END:
                os._exit(0)  # what was done is kept in work folders
            self._messages.put(message)


def answer_questions(inbox: Inbox, answers: Mapping[str, Callable[..., Any]]) -> NoReturn:
    """Answer messages (name, number, ...) with ("answer", number, result, error); an error is one sentence."""
    while True:
        name, number, *arguments = inbox.wait()
        try:
            inbox.send("answer", number, answers[name](*arguments), None)
        except PhospheneError as problem:
            inbox.send("answer", number, None, str(problem))
        except Exception as problem:
            what = " ".join(str(problem).split())[:200]
            inbox.send("answer", number, None, f"failed unexpectedly ({type(problem).__name__}: {what})")


class Questions:
    """A process that answers questions with `answer_questions`, and the answers that are waited for."""

    def __init__(self, target: str, folder: Path) -> None:
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count()
        self._helper = Helper(target, folder, self._on_answer)

    async def ask(self, name: str, *arguments: Any) -> Any:
        """Ask the process, and return its answer or raise its error."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._helper.send(name, number, *arguments)
        return await answer

    def close(self) -> None:
        """End the process."""
        self._helper.close()

    def _on_answer(self, message: Message) -> None:
        if message[0] == "ended":
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(OutputError("the picture was too much for this machine: try a smaller one"))
            self._answers.clear()
            return
        _, number, result, error = message
        answer = self._answers.pop(number)
        if answer.cancelled():
            return
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(PhospheneError(error))


class Helper:
    """A process that calls `target`, written MODULE:NAME, with an inbox and `folder`.

    `on_message` is called in the event loop with what it sends. It is started again if it ends by itself, and
    `on_message` is called with ("ended",) then.
    """

    def __init__(self, target: str, folder: Path, on_message: Callable[[Message], None]) -> None:
        self._target, self._folder, self._on_message = target, folder, on_message
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._start()

    def send(self, *message: Any) -> None:
        """Send the process a message."""
        with suppress(OSError):  # it has ended, and "ended" is about to be told
            self._connection.send(message)

    def close(self) -> None:
        """End the process; what it was doing can be continued."""
        self._closed = True
        self.send(*END)
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()

    def _start(self) -> None:
        context = multiprocessing.get_context("forkserver") if _CAN_FORK else multiprocessing.get_context("spawn")
        context.set_forkserver_preload(_PRELOADED)  # where processes cannot be forked this does nothing
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(self._target, theirs, self._folder), daemon=True)
        self._process.start()
        theirs.close()
        threading.Thread(target=self._receive, args=(self._connection,), daemon=True).start()

    def _receive(self, connection: Connection) -> None:
        while True:
            try:
                message = connection.recv()
            except (EOFError, OSError):
                break
            self._loop.call_soon_threadsafe(self._on_message, message)
        if not self._closed:
            self._loop.call_soon_threadsafe(self._ended)

    def _ended(self) -> None:
        if not self._closed:
            self._start()
            self._on_message(("ended",))


def _run(target: str, connection: Connection, folder: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this
    if os.name == "posix":
        os.nice(NICENESS)
    os.chdir(folder)
    load(target)(Inbox(connection), folder)

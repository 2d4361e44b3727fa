"""The queue: which job runs, what becomes of it, and how it goes on after a pause, a cut-in or a killed server."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from typing import Any, Literal

from phosphene.errors import OutputError
from phosphene.recipe import Photo, dumps, loads
from phosphene.studio.events import Events
from phosphene.studio.folder import Folder
from phosphene.studio.helper import Helper, Message
from phosphene.studio.records import ACTIVE, Records, shown
from phosphene.studio.requests import title_of

CRASHES = 2
"""How often a job may end the process that renders it before it has failed: it may have been another one's fault."""

TOO_MUCH = "the system ended the process that rendered it, probably for want of memory: try a smaller size"

Wish = Literal["hold", "cancel", "forget"]


class Queue:
    """Runs the jobs of `records` one after the other; what happens is told to `events`."""

    def __init__(self, records: Records, folder: Folder, events: Events) -> None:
        self.records, self.folder, self.events = records, folder, events
        self.previews: dict[str, tuple[int, bytes]] = {}
        self.running: str | None = None
        self._wish: Wish | None = None
        self._follower: tuple[str, str] | None = None
        self._crashes: dict[str, int] = {}
        self.on_idle: Callable[[], object] = lambda: None
        for job in records.jobs("running"):  # of a server that was killed
            records.change(job["id"], state="waiting")
        self._renderer = Helper("studio.rendering:main", folder.root, self._on_message)
        self.next()

    @property
    def paused(self) -> bool:
        """Whether no further job is begun."""
        return self.records.setting("paused") == "yes"

    def close(self) -> None:
        """Stop; what was running goes on with the next server."""
        self._renderer.close()

    def next(self) -> None:
        """Begin the next job, if none is running."""
        if self.running is not None or self.paused:
            return
        waiting = self.records.jobs("waiting")
        if waiting:
            self.running, self._wish = waiting[0]["id"], None
            job = self.records.change(waiting[0]["id"], state="running", stage="beginning", error="")
            self._renderer.send("run", job["id"], job["recipe"], job["output"])
            self._tell(job)
        else:
            self.on_idle()

    def pause(self, paused: bool) -> None:
        """Hold the running job and begin no other, or go on."""
        self.records.set("paused", "yes" if paused else "no")
        self.events.send("queue", {"paused": paused})
        if paused:
            self._stop("hold")
        self.next()

    def added(self, job: dict[str, Any], *, cut_in: bool = False) -> None:
        """Take note of a new job; with `cut_in` it runs at once, and what was running goes on afterwards."""
        self._tell(job)
        if cut_in:
            self.cut_in(job["id"])
        self.next()

    def cut_in(self, id: str) -> None:
        """Run a job that waits before all others, even before the one that is running."""
        ranks = [job["rank"] for job in self.records.jobs(*ACTIVE)]
        self._tell(self.records.change(id, rank=min(ranks, default=0) - 1))
        if self.running is not None and self.running != id:
            self._stop("hold")
        self.next()

    def move(self, id: str, before: str | None) -> None:
        """Move a job that waits to before another one, or to the end."""
        waiting = [job for job in self.records.jobs("waiting") if job["id"] != id]
        names = [job["id"] for job in waiting]
        place = names.index(before) if before in names else len(names)
        ranks = [job["rank"] for job in waiting]
        low = ranks[place - 1] if place > 0 else ranks[0] - 2 if ranks else 0
        high = ranks[place] if place < len(ranks) else low + 2
        self._tell(self.records.change(id, rank=(low + high) / 2))

    def cancel(self, id: str) -> None:
        """Stop a job; it can be tried again, and goes on where it was."""
        if id == self.running:
            self._stop("cancel")
        elif self._state(id) == "waiting":
            self._tell(self.records.change(id, state="cancelled", finished=time.time()))

    def replace(self, id: str, follower: str, *, keep: bool) -> None:
        """Drop a job in favour of another one; with `keep`, that one begins with the picture so far."""
        if id != self.running:
            if self._state(id) in ACTIVE:
                self.forget(id)
            return
        self._follower = (follower, "keep") if keep else None
        self._stop("forget", keep=keep)

    def retry(self, id: str) -> None:
        """Put a job that failed or was cancelled at the end of the queue; it goes on where it was."""
        if self._state(id) in ("failed", "cancelled"):
            ranks = [job["rank"] for job in self.records.jobs(*ACTIVE)]
            job = self.records.change(id, state="waiting", error="", rank=max(ranks, default=0) + 1, finished=None)
            self._crashes.pop(id, None)
            self._tell(job)
            self.next()

    def delete(self, id: str) -> None:
        """Delete a result, which `restore` undoes, or forget a job that gave none."""
        state = self._state(id)
        if state == "done":
            job = self.records.job(id)
            assert job is not None
            for name in job["files"]:
                path = self.folder.inside(name)
                if path.is_file():
                    os.replace(path, self.folder.deleted(name))
            self._tell(self.records.change(id, state="deleted"))
        elif state in ("failed", "cancelled", "waiting"):
            self.forget(id)

    def restore(self, id: str) -> None:
        """Undo `delete`."""
        job = self.records.job(id)
        if job is None or job["state"] != "deleted":
            return
        for name in job["files"]:
            if self.folder.deleted(name).is_file():
                os.replace(self.folder.deleted(name), self.folder.inside(name))
        self._tell(self.records.change(id, state="done"))

    def forget(self, id: str) -> None:
        """Remove a job and what was done of it."""
        job = self.records.job(id)
        if job is None:
            return
        unfinished = self.folder.inside(job["output"] + ".work")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.rmtree(self.folder.steps(id), ignore_errors=True)
        self.records.forget(id)
        self.previews.pop(id, None)
        self.events.send("gone", {"id": id})

    def _state(self, id: str) -> str:
        job = self.records.job(id)
        if job is None:
            raise OutputError("there is no such job: it may have been removed")
        return str(job["state"])

    def _stop(self, wish: Wish, *, keep: bool = False) -> None:
        if self.running is None or (self._wish is not None and wish == "hold"):
            return
        if self._wish is None:
            self._renderer.send("stop", self.running, keep)
        self._wish = wish

    def _tell(self, job: dict[str, Any]) -> None:
        self.events.send("job", shown(job))

    def _on_message(self, message: Message) -> None:
        name, *rest = message
        if name == "ready":
            return
        if name == "ended":
            self._crashed()
            return
        id = rest[0]
        if id != self.running:
            return
        if name == "event":
            job = self.records.job(id)
            assert job is not None, "it is running"
            # Work that goes on begins with the preparations, of which nothing is done.
            progress = max(job["progress"], rest[1]["progress"])
            self.events.send("progress", {"id": id, **rest[1], "progress": progress})
            frames = {"frames": rest[1]["frames"]} if rest[1].get("frames") else {}
            self.records.change(id, progress=progress, stage=rest[1]["stage"], **frames)
        elif name == "kept":
            job = self.records.job(id)
            assert job is not None, "it is running"
            steps = [each for each in job["steps"] if each["number"] != rest[1]["number"]]
            self._tell(self.records.change(id, steps=sorted([*steps, rest[1]], key=lambda each: each["number"])))
        elif name == "preview":
            self.previews[id] = (rest[1], rest[2])
            self.events.send("preview", {"id": id, "number": rest[1]})
        else:
            self._ended(name, id, rest[1])

    def _ended(self, how: str, id: str, what: Any) -> None:
        wish, self.running, self._wish = self._wish, None, None
        if how == "done":
            title = title_of(loads(what["recipe"]), self.records)
            done = {"state": "done", "progress": 1.0, "stage": "", "finished": time.time(), "title": title}
            self._tell(self.records.change(id, **done, **what))
            self._keep_thumb(id)
        elif how == "failed":
            self._tell(self.records.change(id, state="failed", error=what, finished=time.time()))
        elif wish == "cancel":
            self._tell(self.records.change(id, state="cancelled", finished=time.time()))
        elif wish == "forget":
            self.forget(id)
        else:
            self._tell(self.records.change(id, state="waiting"))
        if self._follower is not None:
            follower, self._follower = self._follower[0], None
            if what and how == "stopped":
                self._begin_with(follower, what)
        for old in list(self.previews)[:-20]:
            del self.previews[old]
        self.next()

    def _begin_with(self, id: str, kept: dict[str, Any]) -> None:
        """Let a waiting job begin with the picture that another one had come to."""
        job = self.records.job(id)
        if job is None or job["state"] != "waiting":
            return
        self.records.add_source(**kept, name=f"{job['title']}, so far")
        size = (kept["height"], kept["width"])
        source = Photo(path=str(self.folder.root / kept["file"]), sha256=kept["sha256"], size=size)
        recipe = loads(job["recipe"])
        self.records.change(id, recipe=dumps(recipe.model_copy(update={"source": source})))

    def _keep_thumb(self, id: str) -> None:
        if id in self.previews:
            self.folder.thumb(id).write_bytes(self.previews[id][1])

    def _crashed(self) -> None:
        """The rendering process has ended by itself and was started again."""
        if self.running is not None:
            id, self.running = self.running, None
            self._crashes[id] = self._crashes.get(id, 0) + 1
            if self._crashes[id] >= CRASHES:
                self._tell(self.records.change(id, state="failed", error=TOO_MUCH, finished=time.time()))
            else:
                self._tell(self.records.change(id, state="waiting"))
        self.next()

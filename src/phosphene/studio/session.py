"""All that a running studio has, and how requests find it."""

from __future__ import annotations

import asyncio
import shutil
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from phosphene.studio.events import Events
from phosphene.studio.folder import Folder, plain
from phosphene.studio.helper import Questions
from phosphene.studio.pages import static_files
from phosphene.studio.queue import Queue
from phosphene.studio.records import ACTIVE, Records, shown
from phosphene.studio.tiles import Tiles


class Studio:
    """All that a running studio has."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.records = Records(folder.database)
        self._forget_deleted()
        self.events = Events(self.snapshot)
        self.queue = Queue(self.records, folder, self.events)
        self.tiles = Tiles(folder, self.events, lambda: self.queue.running is not None)
        loop = asyncio.get_running_loop()  # requests are answered in threads
        self.queue.on_idle = partial(loop.call_soon_threadsafe, self.tiles.next)
        self._looker = Questions("studio.looking:main", folder.root)
        self._watching: dict[str, Questions] = {}
        self.pages = static_files()
        self.exhibited: str | None = None
        self.diary: Path | None = None

    def snapshot(self) -> dict[str, Any]:
        """Return what a page must know before it can follow the events."""
        jobs = [shown(job) for job in self.records.jobs(*ACTIVE, "failed", "cancelled")]
        previews = {id: number for id, (number, _) in self.queue.previews.items()}
        return {"jobs": jobs, "paused": self.queue.paused, "previews": previews}

    async def ask(self, name: str, *arguments: Any) -> Any:
        """Ask the looking process, and return its answer or raise its error."""
        return await self._looker.ask(name, *arguments)

    async def watch(self, name: str, *arguments: Any) -> Any:
        """Ask one of the processes that watch cameras, which the first question starts."""
        target = "studio.watching:dreams" if name == "dream" else "studio.watching:main"
        if target not in self._watching:
            self._watching[target] = Questions(target, self.folder.root)
        return await self._watching[target].ask(name, *arguments)

    def close(self) -> None:
        """End everything; unfinished jobs go on with the next server."""
        self.events.close()
        self.queue.close()
        self.tiles.close()
        self._looker.close()
        for each in self._watching.values():
            each.close()
        self._forget_deleted()
        self.records.close()

    def _forget_deleted(self) -> None:
        """Remove what can no longer be brought back."""
        self.folder.clear()
        for job in self.records.jobs("deleted"):
            shutil.rmtree(self.folder.steps(job["id"]), ignore_errors=True)
            self.folder.thumb(job["id"]).unlink(missing_ok=True)
            self.records.forget(job["id"])


def the_studio(request: Request) -> Studio:
    """Return the studio that a request is for."""
    studio: Studio = request.app.state.studio
    return studio


TheStudio = Annotated[Studio, Depends(the_studio)]


def find_job(studio: Studio, id: str) -> dict[str, Any]:
    """Return a job; raise the answer 404 where there is none."""
    found = studio.records.job(plain(id))
    if found is None:
        raise HTTPException(404, "there is no such job: it may have been removed")
    return found


def find_source(studio: Studio, sha256: str) -> dict[str, Any]:
    """Return a source; raise the answer 404 where there is none."""
    found = studio.records.source(plain(sha256))
    if found is None:
        raise HTTPException(404, "there is no such source")
    return found

"""The process that renders: one job at a time, with previews, until it is told to stop.

It is sent ("run", id, recipe, output) and ("stop", id, keep), and answers with ("event", id, facts), ("preview", id,
number, jpeg), and at last one of ("done", id, facts), ("stopped", id, kept) and ("failed", id, sentence).
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from phosphene.errors import OutputError, PhospheneError
from phosphene.gradients.allocator import keep_memory
from phosphene.media.image import to_pil, write_image
from phosphene.nets.base import Net
from phosphene.recipe import DreamRecipe, NetworkRecipe, Noise, dumps, loads
from phosphene.render import networks
from phosphene.render.job import Event, Given, Job
from phosphene.resampling import resize
from phosphene.studio import contained
from phosphene.studio.folder import Folder
from phosphene.studio.form import FILMS
from phosphene.studio.helper import Inbox

PREVIEW_EVERY = 0.2
"""Shortest time between previews, in seconds."""

PREVIEW_SHARE = 0.15
"""Largest share of the time that may be spent on previews."""

PREVIEW_SIDE = 768

REPORT_EVERY = 0.1

KEPT = 8
"""Pictures of a job on its way that are kept, to branch from: one after each eighth of the work, but the last."""

KEPT_PIXELS = 6_000_000
"""Larger pictures are not kept on their way, as writing them would take seconds."""

FRAME_SIDE = 480
"""The longest side of the frames that are kept of a film, to scrub through."""

OTHER_PROCESS = 5.0
"""Seconds to wait for a process of a killed server to end, which may still hold a work folder."""


def main(inbox: Inbox, folder: Path) -> None:
    """Render what the server sends, one job after the other."""
    keep_memory()
    renderer = _Renderer(inbox, Folder(folder))
    renderer.warm_up()
    inbox.send("ready")
    while True:
        message = inbox.wait()
        if message[0] == "run":
            renderer.run(*message[1:])
        else:  # a stop that came after the end of its job
            inbox.send("stopped", message[1], None)


class _Renderer:
    def __init__(self, inbox: Inbox, folder: Folder) -> None:
        self._inbox, self._folder = inbox, folder
        self._nets: dict[str, Net] = {}
        self._number = 0

    def warm_up(self) -> None:
        """Take a small step with the default network, so that the first one that somebody waits for is not slow."""
        with suppress(PhospheneError):
            recipe = DreamRecipe(source=Noise(noise=(64, 64)), octaves=1, steps=1)
            for _ in Job(recipe, Given(net=self._net(recipe))):
                pass

    def run(self, id: str, text: str, output: str) -> None:
        try:
            recipe = loads(text)
            contained.check(recipe, self._folder)
            job = Job(recipe, Given(net=self._net(recipe), look_in=(self._folder.root,)))
            for event in job.prepare():
                self._inbox.send("event", id, _facts(event))
            self._follow(id, job, self._folder.inside(output))
        except PhospheneError as problem:
            self._inbox.send("failed", id, str(problem))
        except Exception as problem:
            what = " ".join(str(problem).split())[:200]
            self._inbox.send("failed", id, f"phosphene failed unexpectedly ({type(problem).__name__}: {what})")

    def _follow(self, id: str, job: Job, path: Path) -> None:
        due = reported = 0.0
        frames: int | None = None
        stop: tuple[Any, ...] | None = None
        last: Event | None = None
        for event in self._events(job, path):
            now = time.monotonic()
            last = event if event.look is not None else last
            stop = stop or self._asked_to_stop(id)
            if stop is not None:
                job.cancel()
                continue
            frames = self._keep_way(id, job, event) or frames
            if now - reported >= REPORT_EVERY:
                reported = now
                self._inbox.send("event", id, {**_facts(event), "frames": frames})
            if now >= due and (image := event.preview()) is not None:
                self._preview(id, image)
                due = now + max(PREVIEW_EVERY, (time.monotonic() - now) / PREVIEW_SHARE)
        if stop is not None:
            kept = self._keep(last) if stop[2] and last is not None else None
            self._inbox.send("stopped", id, kept)
            return
        files = job.work.paths(path)
        image = None if last is None else last.preview()
        if image is not None:
            self._preview(id, image)
        height, width = (0, 0) if image is None else image.shape[-2:]
        if image is not None and job.recipe.kind == "dream" and height * width <= KEPT_PIXELS:
            self._write(self._folder.steps(id) / "last.png", image)
        facts = {
            "frames": frames or 0,
            "files": [each.name for each in files],
            "recipe": dumps(job.recipe),
            "width": width,
            "height": height,
        }
        self._inbox.send("done", id, facts)

    def _keep_way(self, id: str, job: Job, event: Event) -> int | None:
        """Keep the picture after each eighth of the work, and each frame of a film; return the number of frames."""
        if event.look is None:
            return None
        if job.recipe.kind in FILMS:
            if event.stage != "frame" or (image := event.preview()) is None:
                return None
            place = self._folder.steps(id) / f"f{event.step:07d}.jpg"
            place.parent.mkdir(exist_ok=True)
            _shrunk(image, FRAME_SIDE).save(place, "jpeg", quality=80)
            return event.step
        number = int(event.progress * KEPT)
        path = self._folder.steps(id) / f"s{number}.png"
        if not 0 < number < KEPT or job.recipe.kind != "dream" or path.exists():
            return None
        image = event.preview()
        if image is None or image.shape[-1] * image.shape[-2] > KEPT_PIXELS:
            return None
        sha256 = self._write(path, image)
        facts = {"number": number, "stage": _facts(event)["stage"], "progress": event.progress}
        self._inbox.send("kept", id, {**facts, "sha256": sha256, "size": [image.shape[-2], image.shape[-1]]})
        return None

    def _write(self, path: Path, image: Any) -> str:
        """Write a picture losslessly, and return the hash of the file."""
        path.parent.mkdir(exist_ok=True)
        write_image(path, image, depth=16)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def _events(self, job: Job, path: Path) -> Any:
        """Do the work; wait a little where a process that is about to end still holds the work folder."""
        until = time.monotonic() + OTHER_PROCESS
        while True:
            try:
                yield from job.writing(path)
            except OutputError as problem:
                if "by another process" not in str(problem) or time.monotonic() > until:
                    raise
                time.sleep(0.2)
            else:
                return

    def _asked_to_stop(self, id: str) -> tuple[Any, ...] | None:
        message = self._inbox.look()
        return message if message is not None and message[:2] == ("stop", id) else None

    def _preview(self, id: str, image: Any) -> None:
        file = io.BytesIO()
        _shrunk(image, PREVIEW_SIDE).save(file, "jpeg", quality=84)
        self._number += 1
        self._inbox.send("preview", id, self._number, file.getvalue())

    def _keep(self, event: Event) -> dict[str, Any] | None:
        """Write the picture so far as a source, losslessly, and return the facts of it."""
        image = event.preview()
        if image is None:
            return None
        beside = self._folder.incoming().with_suffix(".png")
        write_image(beside, image, depth=16)
        sha256 = hashlib.sha256(beside.read_bytes()).hexdigest()
        file = f"sources/{sha256}.png"
        os.replace(beside, self._folder.root / file)
        return {"sha256": sha256, "file": file, "width": image.shape[-1], "height": image.shape[-2]}

    def _net(self, recipe: object) -> Net | None:
        """Return the recipe's network; the last few are kept."""
        if not isinstance(recipe, NetworkRecipe):
            return None
        key = f"{recipe.net.name} {recipe.net.sha256} {recipe.device}"
        if key not in self._nets:
            while len(self._nets) >= 2:
                del self._nets[next(iter(self._nets))]
            self._nets[key] = networks.load(recipe.net, recipe.device)
        return self._nets[key]


def _shrunk(image: Any, side: int) -> Any:
    height, width = image.shape[-2:]
    scale = side / max(height, width)
    if scale < 1:
        image = resize(image, (max(1, round(height * scale)), max(1, round(width * scale))), clamp=True)
    return to_pil(image)


def _facts(event: Event) -> dict[str, Any]:
    count = f" {event.step}/{event.steps}" if event.steps else ""
    return {
        "stage": f"{event.stage}{count}",
        "progress": event.progress,
        "seconds_left": event.seconds_left,
        "note": event.note,
    }

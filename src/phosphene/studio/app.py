"""The HTTP interface of the studio. `docs/studio.md` shows how to drive it from a script."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, FastAPI, Header, Query, Request, Response
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException

from phosphene import __version__
from phosphene.camera import choice
from phosphene.recipe.base import DEFAULT_NET
from phosphene.studio import form
from phosphene.studio.answers import ANSWERS
from phosphene.studio.cameras import router as cameras
from phosphene.studio.downloads import router as downloads
from phosphene.studio.exhibit import router as exhibit
from phosphene.studio.folder import KINDS_OF_FILE, Folder, plain
from phosphene.studio.records import shown
from phosphene.studio.requests import Form, Move, NewJob, QueueState, changes, form_of
from phosphene.studio.session import Studio, TheStudio, find_job, find_source
from phosphene.studio.tiles import Wanted
from phosphene.studio.variations import add_job as add_job_to
from phosphene.studio.variations import router as variations

FOREVER = {"cache-control": "private, max-age=31536000, immutable"}
FRESH = {"cache-control": "no-cache"}

THUMB_SIDE, SCREEN_SIDE = 400, 1600


def create_app(folder: Folder) -> FastAPI:
    """Return the studio of a folder as an ASGI application, without the guard that `safety` puts before it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.studio = Studio(folder)
        yield
        app.state.studio.close()

    app = FastAPI(title="phosphene studio", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    for each in (api, variations, downloads, cameras, exhibit):
        app.include_router(each)
    app.include_router(pages)
    for kind, answer in ANSWERS.items():
        app.add_exception_handler(kind, answer)
    return app


api = APIRouter(prefix="/api")
pages = APIRouter(include_in_schema=False)


@api.get("/state")
async def state(studio: TheStudio) -> dict[str, Any]:
    """Return the kinds of work with their settings, the networks, the newest sources and the page's last state."""
    nets = await studio.ask("nets")
    return {
        "version": __version__,
        "kinds": form.kinds([net["name"] for net in nets]),
        "nets": nets,
        "camera": {"net": choice.NET, "target": choice.TARGET},
        "sources": studio.records.sources(),
        "form": json.loads(studio.records.setting("form", "null")),
    }


@api.put("/state")
def keep_state(studio: TheStudio, given: Form) -> None:
    """Keep the page's state for when it is opened again."""
    studio.records.set("form", json.dumps(given.form))


@api.post("/sources")
async def upload(
    studio: TheStudio, request: Request, x_name: Annotated[str, Header(description="Its name, percent-encoded.")] = ""
) -> dict[str, Any]:
    """Add a picture or a clip, which is the body of the request.

    Return it, the recipe that it carries, if any, and the grid whose picture it is.
    """
    place = studio.folder.incoming()
    try:
        with place.open("xb") as file:
            async for chunk in request.stream():
                file.write(chunk)
        name = "".join(each for each in Path(unquote(x_name)).name if each.isprintable())[:120]
        found = await studio.ask("upload", str(place), name or "picture")
    finally:
        place.unlink(missing_ok=True)
    source = studio.records.add_source(**found["source"])
    restored = None if found["recipe"] is None else form_of(found["recipe"], studio.records)
    grid = studio.records.setting(f"grid {source['sha256']}") or None
    return {"source": source, "recipe": restored, "grid": grid}


@api.get("/sources/{sha256}/see")
async def see(studio: TheStudio, sha256: str, net: str = DEFAULT_NET) -> dict[str, Any]:
    """Tell what a network sees in a source: labels, layers and channels, each with the target that asks for it."""
    found: dict[str, Any] = await studio.ask("see", find_source(studio, sha256)["file"], net)
    return found


@api.get("/sources/{sha256}/picture")
async def source_picture(studio: TheStudio, sha256: str, small: bool = False) -> FileResponse:
    """Return a source, of a clip one frame, as a JPEG of at most 1600 pixels, or 400."""
    source = find_source(studio, sha256)
    key, side = (sha256[:31], THUMB_SIDE) if small else (sha256[:32], SCREEN_SIDE)
    return await _small(studio, source["file"], key, side)


@api.get("/sources/{sha256}/file")
def source_file(studio: TheStudio, sha256: str) -> FileResponse:
    """Return a clip as it was added, for the page to play."""
    source = find_source(studio, sha256)
    path = studio.folder.inside(source["file"])
    if source["kind"] != "clip" or not path.is_file():
        raise HTTPException(404, "there is no such clip")
    return FileResponse(path, media_type=KINDS_OF_FILE.get(path.suffix, "application/octet-stream"), headers=FOREVER)


@api.post("/jobs", status_code=201)
async def add_job(studio: TheStudio, new: NewJob) -> dict[str, Any]:
    """Add a job to the queue; everything is checked before this returns."""
    return await add_job_to(studio, new)


@api.get("/jobs")
def jobs(studio: TheStudio) -> dict[str, Any]:
    """Return the queue: what runs, what waits, and what failed or was cancelled."""
    return studio.snapshot()


@api.get("/jobs/{id}")
def job(studio: TheStudio, id: str) -> dict[str, Any]:
    """Return a job, its recipe, and what a page shows of that."""
    found = find_job(studio, id)
    parent = studio.records.job(found["parent"]) if found["parent"] else None
    return {
        **shown(found),
        "recipe": json.loads(found["recipe"]),
        "form": form_of(found["recipe"], studio.records),
        "changed": [] if parent is None else changes(parent["recipe"], found["recipe"], studio.records),
        "parent_title": "" if parent is None else parent["title"],
    }


@api.delete("/jobs/{id}")
def delete(studio: TheStudio, id: str) -> None:
    """Delete a result, or a job that is not running."""
    studio.queue.delete(find_job(studio, id)["id"])


@api.post("/jobs/{id}/restore")
def restore(studio: TheStudio, id: str) -> None:
    """Bring a deleted result back."""
    studio.queue.restore(find_job(studio, id)["id"])


@api.post("/jobs/{id}/cancel")
def cancel(studio: TheStudio, id: str) -> None:
    """Stop a job; what is done is kept, and `retry` goes on from there."""
    studio.queue.cancel(find_job(studio, id)["id"])


@api.post("/jobs/{id}/retry")
def retry(studio: TheStudio, id: str) -> None:
    """Put a cancelled or failed job at the end of the queue; it goes on where it was."""
    studio.queue.retry(find_job(studio, id)["id"])


@api.post("/jobs/{id}/first")
def first(studio: TheStudio, id: str) -> None:
    """Run a waiting job at once; what is running goes on afterwards."""
    if find_job(studio, id)["state"] == "waiting":
        studio.queue.cut_in(id)


@api.post("/jobs/{id}/move")
def move(studio: TheStudio, id: str, where: Move) -> None:
    """Give a waiting job another place in the queue."""
    if find_job(studio, id)["state"] == "waiting":
        studio.queue.move(id, where.before)


@api.put("/queue")
def pause(studio: TheStudio, queue: QueueState) -> None:
    """Pause the queue, the running job included, or let it go on."""
    studio.queue.pause(queue.paused)


@api.get("/jobs/{id}/preview")
def preview(studio: TheStudio, id: str) -> Response:
    """Return the picture so far of a job that is running, as a JPEG."""
    found = studio.queue.previews.get(plain(id))
    if found is None:
        raise HTTPException(404, "there is no preview of this job")
    return Response(found[1], media_type="image/jpeg", headers={"cache-control": "no-store"})


@api.get("/jobs/{id}/thumb")
async def thumb(studio: TheStudio, id: str) -> FileResponse:
    """Return a small picture of a result, as a JPEG."""
    found = find_job(studio, id)
    return await _small(studio, (found["files"] or [""])[0], found["id"], SCREEN_SIDE)


@api.get("/jobs/{id}/file")
def file(
    studio: TheStudio, id: str, index: Annotated[int, Query(ge=0, le=999)] = 0, download: bool = False
) -> FileResponse:
    """Return a result's file as it was written; it carries its recipe. `index` is which of several pictures."""
    found = find_job(studio, id)
    if found["state"] != "done" or index >= len(found["files"]):
        raise HTTPException(404, "this job has no such file")
    path = studio.folder.inside(found["files"][index])
    if not path.is_file():
        raise HTTPException(404, f"{path.name} is not in the studio's folder any more")
    kind = KINDS_OF_FILE.get(path.suffix, "application/octet-stream")
    how = "attachment" if download else "inline"
    return FileResponse(path, media_type=kind, filename=path.name, content_disposition_type=how, headers=FRESH)


@api.post("/jobs/{id}/source")
async def use_as_source(studio: TheStudio, id: str) -> dict[str, Any]:
    """Make a finished picture a source for other work."""
    found = find_job(studio, id)
    if found["state"] != "done" or not found["files"]:
        raise HTTPException(404, "this job has no picture")
    original = studio.folder.inside(found["files"][0])
    copy = studio.folder.incoming()
    copy.write_bytes(original.read_bytes())
    added = await studio.ask("upload", str(copy), original.name)
    return {"source": studio.records.add_source(**added["source"])}


@api.post("/tiles")
async def tiles(studio: TheStudio, wanted: Wanted) -> dict[str, str]:
    """Return the keys of the tiles that are there, by target; the others are made, and told as events `tile`."""
    return studio.tiles.want(wanted.net, wanted.targets)


@api.get("/tiles/{key}")
def tile(studio: TheStudio, key: str) -> FileResponse:
    """Return a small picture of what a target looks like, as a JPEG."""
    path = studio.tiles.path(key)
    if not path.is_file():
        raise HTTPException(404, "there is no such tile")
    return FileResponse(path, media_type="image/jpeg", headers=FOREVER)


@api.get("/gallery")
def gallery(
    studio: TheStudio,
    search: str = "",
    kind: str = "",
    before: float | None = None,
    count: Annotated[int, Query(ge=1, le=200)] = 60,
    skip: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> list[dict[str, Any]]:
    """Return results, newest first, in whose title, net, file name or date (2026-11-30) all words of `search` are."""
    return [shown(each) for each in studio.records.gallery(search, before, kind, count, skip)]


@api.get("/gallery/size")
def gallery_size(studio: TheStudio, search: str = "", kind: str = "") -> int:
    """Return how many results there are of a search."""
    return studio.records.gallery_size(search, kind)


@api.get("/events", response_class=EventSourceResponse)
async def events(
    studio: TheStudio, last_event_id: Annotated[str | None, Header()] = None
) -> AsyncIterator[ServerSentEvent]:
    """Stream what happens: a snapshot first, then jobs, progress, previews, and jobs that are gone."""
    async for message in studio.events.listen(last_event_id):
        yield ServerSentEvent(id=message.id, event=message.name, data=message.data)


@pages.get("/")
def index(studio: TheStudio, request: Request) -> Response:
    """Return the page."""
    return _page(studio, request, "index.html")


@pages.get("/exhibit")
def exhibition(studio: TheStudio, request: Request) -> Response:
    """Return the page of the exhibition."""
    return _page(studio, request, "exhibit.html")


@pages.get("/docs")
def documented(studio: TheStudio, request: Request) -> Response:
    """Return the page that describes the API."""
    return _page(studio, request, "api.html")


@pages.get("/static/{name:path}")
def static(studio: TheStudio, request: Request, name: str) -> Response:
    """Return a file that belongs to the page."""
    return _page(studio, request, name)


def _page(studio: Studio, request: Request, name: str) -> Response:
    if name not in studio.pages:
        raise HTTPException(404, "there is no such page")
    page = studio.pages[name]
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(page.packed, media_type=page.media_type, headers={**FRESH, "content-encoding": "gzip"})
    return Response(page.data, media_type=page.media_type, headers=FRESH)


async def _small(studio: Studio, file: str, key: str, side: int) -> FileResponse:
    path = studio.folder.thumb(key)
    if not path.is_file():
        await studio.ask("thumb", file, key, side)
    return FileResponse(path, media_type="image/jpeg", headers=FOREVER)

"""Variations of a piece of work: jobs that begin with another one's picture on its way, and grids of two settings."""

from __future__ import annotations

import json
import os
import shutil
from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from phosphene.errors import OutputError, SettingError
from phosphene.recipe import dumps
from phosphene.studio.folder import plain
from phosphene.studio.form import FILMS
from phosphene.studio.records import shown
from phosphene.studio.requests import NewJob, name_of, recipe_for, title_of
from phosphene.studio.session import Studio, TheStudio, find_job

MOST_WAITING = 1000
"""Jobs in the queue."""

MOST_IN_A_ROW = 12
"""Values of one setting in a grid."""

router = APIRouter(prefix="/api")


class Axis(BaseModel):
    """A setting of a grid, and its values."""

    model_config = ConfigDict(extra="forbid")

    setting: str = Field(description="The name of a setting of the kind of work.")
    values: list[Any] = Field(min_length=1, max_length=MOST_IN_A_ROW, description="As numbers or as text.")


class NewGrid(BaseModel):
    """The same work with two settings against each other."""

    model_config = ConfigDict(extra="forbid")

    job: NewJob
    across: Axis
    down: Axis | None = None


async def add_job(studio: Studio, new: NewJob, grid: str = "", cell: str = "") -> dict[str, Any]:
    """Check a job, add it to the queue and return what pages are told of it."""
    recipe = recipe_for(new, studio.records, studio.folder)
    await studio.ask("check", dumps(recipe))
    if len(studio.records.jobs("waiting")) >= MOST_WAITING:
        raise OutputError(f"the queue is full: at most {MOST_WAITING} jobs wait")
    suffix = ".mp4" if recipe.kind in FILMS else ".png"
    title = title_of(recipe, studio.records)
    stem = f"{name_of(recipe, studio.records) or title}-{recipe.kind}"
    output = studio.folder.free_name(stem, suffix, studio.records.outputs())
    net = getattr(recipe, "net", None)
    job = studio.records.add_job(
        kind=recipe.kind,
        title=title,
        recipe=dumps(recipe),
        output=output,
        net="" if net is None else net.name,
        parent=plain(new.parent) if new.parent else "",
        parent_step=new.parent_step,
        grid=grid,
        cell=cell,
    )
    if new.replaces is not None:
        studio.queue.replace(new.replaces, job["id"], keep=new.go_on)
    studio.queue.added(job, cut_in=new.now)
    return shown(studio.records.job(job["id"]) or job)


@router.post("/jobs/{id}/steps/{number}/source")
def branch(studio: TheStudio, id: str, number: int) -> dict[str, Any]:
    """Make a picture that a job came by a source of other work."""
    job, path = _step(studio, id, number)
    sha256 = next(each["sha256"] for each in job["steps"] if each["number"] == number)
    height, width = next(each["size"] for each in job["steps"] if each["number"] == number)
    file = f"sources/{sha256}.png"
    beside = studio.folder.incoming()
    shutil.copyfile(path, beside)
    os.replace(beside, studio.folder.root / file)
    name = f"{job['title']}, step {number}"
    source = studio.records.add_source(sha256=sha256, file=file, name=name, width=width, height=height)
    return {"source": source}


@router.get("/jobs/{id}/steps/{number}")
async def step(studio: TheStudio, id: str, number: int) -> FileResponse:
    """Return a picture that a job came by, as a JPEG; `steps` of the job lists them."""
    job, path = _step(studio, id, number)
    key = next(each["sha256"] for each in job["steps"] if each["number"] == number)[:30]
    small = studio.folder.thumb(key)
    if not small.is_file():
        await studio.ask("thumb", str(path.relative_to(studio.folder.root)), key, 1024)
    return FileResponse(small, media_type="image/jpeg", headers={"cache-control": "private, max-age=600"})


@router.get("/jobs/{id}/frames/{number}")
def frame(studio: TheStudio, id: str, number: Annotated[int, Path(ge=1, le=10_000_000)]) -> FileResponse:
    """Return a frame of a film, small, as a JPEG; they are counted from 1 to the job's `frames`."""
    path = studio.folder.steps(find_job(studio, id)["id"]) / f"f{number:07d}.jpg"
    if not path.is_file():
        raise HTTPException(404, "there is no such frame yet")
    return FileResponse(path, media_type="image/jpeg", headers={"cache-control": "private, max-age=600"})


@router.post("/grids", status_code=201)
async def add_grid(studio: TheStudio, new: NewGrid) -> dict[str, Any]:
    """Add a job for each pair of values of two settings; everything is checked before the first one is added."""
    rows: list[Any] = [None] if new.down is None else new.down.values
    jobs: dict[str, NewJob] = {}
    for y, below in enumerate(rows):
        for x, beside in enumerate(new.across.values):
            settings = {**new.job.settings, new.across.setting: beside}
            if new.down is not None:
                settings[new.down.setting] = below
            jobs[f"{x},{y}"] = new.job.model_copy(update={"settings": settings})
    if new.down is not None and new.down.setting == new.across.setting:
        raise SettingError("a grid needs two different settings", setting="down", value=new.down.setting)
    for job in jobs.values():
        await studio.ask("check", dumps(recipe_for(job, studio.records, studio.folder)))
    axes = {"across": new.across.model_dump(), "down": None if new.down is None else new.down.model_dump()}
    name = new.across.setting if new.down is None else f"{new.across.setting} × {new.down.setting}"
    id = studio.records.add_grid(name.replace("_", " "), json.dumps(axes))
    for cell, job in jobs.items():
        await add_job(studio, job, grid=id, cell=cell)
    return _grid(studio, id)


@router.get("/grids")
def grids(studio: TheStudio) -> list[dict[str, Any]]:
    """Return the newest grids."""
    return studio.records.grids()


@router.get("/grids/{id}")
def grid(studio: TheStudio, id: str) -> dict[str, Any]:
    """Return a grid: its axes, and its jobs by the place `x,y`."""
    return _grid(studio, plain(id))


@router.get("/grids/{id}/file")
async def grid_file(studio: TheStudio, id: str) -> FileResponse:
    """Return a grid as one picture with captions, a PNG that carries the recipe of its first picture."""
    found = _grid(studio, plain(id))
    files = {cell: job["files"][0] for cell, job in found["jobs"].items() if job["state"] == "done" and job["files"]}
    if not files:
        raise OutputError("nothing of this grid is finished yet")
    name, sha256 = await studio.ask("grid", found["id"], found["across"], found["down"], files)
    studio.records.set(f"grid {sha256}", found["id"])  # so that the picture leads back to it
    path = studio.folder.inside(name)
    return FileResponse(
        path, media_type="image/png", filename=f"grid-{found['id']}.png", headers={"cache-control": "no-store"}
    )


def _grid(studio: Studio, id: str) -> dict[str, Any]:
    found = studio.records.grid(id)
    if found is None:
        raise HTTPException(404, "there is no such grid")
    jobs = {job["cell"]: shown(job) for job in studio.records.jobs_of(id)}
    return {**found, **json.loads(found.pop("axes")), "jobs": jobs}


def _step(studio: Studio, id: str, number: int) -> tuple[dict[str, Any], Any]:
    job = find_job(studio, id)
    path = studio.folder.steps(job["id"]) / f"s{number}.png"
    if not path.is_file() or all(each["number"] != number for each in job["steps"]):
        raise HTTPException(404, "this step was not kept")
    return job, path

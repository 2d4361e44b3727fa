"""The exhibition: one full-screen page, of a piece of work that the studio makes and then shows, or of the camera."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

from phosphene.errors import OutputError, SettingError
from phosphene.recipe import digest
from phosphene.studio.folder import KINDS_OF_FILE
from phosphene.studio.form import OFFERED
from phosphene.studio.requests import NewJob, form_of, recipe_for
from phosphene.studio.session import Studio, TheStudio
from phosphene.studio.variations import add_job

PICTURES = frozenset({".jpg", ".png", ".webp"})
"""The suffixes of a diary's pictures."""

router = APIRouter(prefix="/api/exhibit")


async def begin(studio: Studio, file: Path | None, diary: Path | None = None) -> None:
    """Have the work made of the recipe in `file`, unless it has been made or begun for an earlier exhibition.

    Without one, the camera is shown, and the `diary` while nobody is there.

    Films lead back to their first frame, so that they have no seam.

    Raises:
        PhospheneError: for a file without a recipe, or one of another kind, or whose picture is missing.
    """
    studio.diary = diary
    if file is None:
        return
    found = await studio.ask("exhibit", str(file))
    source = None if found["source"] is None else studio.records.add_source(**found["source"])
    form = form_of(found["recipe"], studio.records)
    if form is None:
        raise SettingError(f"{file.name} cannot be exhibited: only {', '.join(OFFERED)}", setting="exhibit")
    if form["missing"]:
        raise OutputError(f"the picture that {file.name} begins with is not beside it: put it there")
    new = _work(form, source)
    key = digest(recipe_for(new, studio.records, studio.folder))
    before = json.loads(studio.records.setting("exhibit", "{}"))
    job = studio.records.job(before["job"]) if before.get("key") == key else None
    if job is None or job["state"] == "deleted":
        job = await add_job(studio, new)
        studio.records.set("exhibit", json.dumps({"key": key, "job": job["id"]}))
    elif job["state"] in ("failed", "cancelled"):
        studio.queue.retry(job["id"])
    studio.exhibited = job["id"]


def _work(form: dict[str, Any], source: dict[str, Any] | None) -> NewJob:
    known = source or form["source"]
    return NewJob(
        kind=form["kind"],
        base=form["base"],
        settings={"loop": True} if "loop" in form["base"] else {},
        source=None if known is None else known["sha256"],
        noise=form["noise"],
        mask=None if form["mask"] is None else form["mask"]["sha256"],
        parts=[{"target": each["target"], "mask": each["mask"]["sha256"]} for each in form["parts"]],
        listed=form["listed"],
        now=True,
    )


@router.get("")
def shown(studio: TheStudio) -> dict[str, Any]:
    """Return what the exhibition shows: the `job`, or the camera if that is null; and the number of diary pictures."""
    return {"job": studio.exhibited, "diary": len(_pages(studio))}


@router.get("/diary/{number}")
def page(studio: TheStudio, number: int) -> FileResponse:
    """Return a picture of the diary, counted from 0."""
    pages = _pages(studio)
    if not 0 <= number < len(pages):
        raise HTTPException(404, "the diary has no such picture")
    return FileResponse(pages[number], media_type=KINDS_OF_FILE[pages[number].suffix])


def _pages(studio: Studio) -> list[Path]:
    if studio.diary is None or not studio.diary.is_dir():
        return []
    return sorted(each for each in studio.diary.iterdir() if each.suffix in PICTURES and each.is_file())

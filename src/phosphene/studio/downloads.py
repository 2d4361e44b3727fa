"""Results in other forms: layers for programs that paint, and 16 bits a sample."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

from phosphene.studio.requests import form_of
from phosphene.studio.session import TheStudio, find_job

MEDIA_TYPES = {"tiff": "image/tiff", "layers": "image/openraster"}

SUFFIXES = {"tiff": ".tif", "layers": ".ora"}

router = APIRouter(prefix="/api")


@router.get("/jobs/{id}/export")
async def export(studio: TheStudio, id: str, form: Literal["tiff", "layers"]) -> FileResponse:
    """Return a picture as a TIFF of 16 bits a sample, or as the layers dream, photo and mask in OpenRaster."""
    job = find_job(studio, id)
    if job["state"] != "done" or not job["files"] or Path(job["files"][0]).suffix != ".png":
        raise HTTPException(404, "this job has no picture")
    shown = form_of(job["recipe"], studio.records) or {}
    source, mask = shown.get("source"), shown.get("mask")
    fine = studio.folder.steps(job["id"]) / "last.png"
    name = await studio.ask(
        "export",
        form,
        job["id"],
        job["files"][0],
        str(fine.relative_to(studio.folder.root)) if fine.is_file() else None,
        None if source is None else source["file"],
        None if mask is None else mask["file"],
    )
    path = studio.folder.inside(name)
    stem = Path(job["files"][0]).stem
    return FileResponse(
        path, media_type=MEDIA_TYPES[form], filename=stem + SUFFIXES[form], headers={"cache-control": "no-store"}
    )

"""The browser's camera: what is seen, the dream on it, and the words that it was taught."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

from phosphene import nets
from phosphene.camera import choice
from phosphene.studio.session import TheStudio

router = APIRouter(prefix="/api/camera")

Word = Annotated[str, Query(min_length=1, max_length=80)]
Target = Annotated[str, Query(min_length=1, max_length=400)]


@router.post("/see")
async def see(studio: TheStudio, request: Request, net: str = nets.RECOGNISES) -> dict[str, Any]:
    """Tell what is in the picture that is the body: `labels`, and the word of the thing that it knows best, `known`."""
    found: dict[str, Any] = await studio.watch("see", await request.body(), net)
    return found


@router.post("/dream")
async def dream(studio: TheStudio, request: Request, target: Target = choice.TARGET, net: str = choice.NET) -> Response:
    """Return the dream on the next picture of the camera, which is the body, as a JPEG."""
    data = await studio.watch("dream", await request.body(), net, target)
    return Response(data, media_type="image/jpeg", headers={"cache-control": "no-store"})


@router.post("/words")
async def teach(studio: TheStudio, request: Request, word: Word, net: str = nets.RECOGNISES) -> list[str]:
    """Learn that the picture which is the body shows `word`; return all words."""
    return list(await studio.watch("teach", await request.body(), net, word))


@router.get("/words")
async def words(studio: TheStudio) -> list[str]:
    """Return the words that it was taught."""
    return list(await studio.watch("words"))


@router.post("/words/target")
async def target(studio: TheStudio, word: Word, net: str = nets.RECOGNISES) -> dict[str, str]:
    """Return the `target`, and the `net`, that dreams or imagines a thing that it was taught."""
    found: dict[str, str] = await studio.watch("target", word, net)
    studio.records.set(f"word {found.pop('sha256')}", word)  # what titles call it
    return found


@router.delete("/words")
async def forget(studio: TheStudio, word: Word) -> list[str]:
    """Forget a word; return the others."""
    return list(await studio.watch("words", word))


@router.get("/words/file")
def words_file(studio: TheStudio) -> FileResponse:
    """Return the file of the words, for `phosphene camera --known`."""
    if not studio.folder.words.is_file():
        raise HTTPException(404, "it was not taught any words yet")
    return FileResponse(studio.folder.words, filename="things.safetensors", headers={"cache-control": "no-store"})

"""What is answered to a request that is wrong: a status, and one sentence in `error`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from phosphene.errors import PhospheneError
from phosphene.studio.safety import TooMuchError


async def _refused(_: Request, problem: Exception) -> JSONResponse:
    return JSONResponse({"error": str(problem)}, 422)


async def _invalid(_: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, RequestValidationError)
    first = problem.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    return JSONResponse({"error": f"{where}: {first['msg']}"[:300]}, 422)


async def _http(_: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, HTTPException)
    return JSONResponse({"error": str(problem.detail)}, problem.status_code)


async def _too_much(_: Request, __: Exception) -> JSONResponse:
    return JSONResponse({"error": "more was sent than is taken here"}, 413)


ANSWERS: dict[type[Exception], Callable[..., Any]] = {
    PhospheneError: _refused,
    RequestValidationError: _invalid,
    HTTPException: _http,
    TooMuchError: _too_much,
}

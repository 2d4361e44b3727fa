"""Jobs and sources in SQLite: what the studio must still know after it was killed."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCHEMA = """
create table if not exists jobs (
    id text primary key, kind text not null, title text not null, recipe text not null, state text not null,
    rank real not null, output text not null, files text not null default '[]', net text not null default '',
    progress real not null default 0, stage text not null default '', error text not null default '',
    width integer not null default 0, height integer not null default 0, created real not null, finished real);
create index if not exists jobs_by_state on jobs (state, rank);
drop index if exists jobs_by_time;
create index if not exists jobs_to_search on jobs (state, finished, kind, title, net, output);
create table if not exists sources (
    sha256 text primary key, file text not null, name text not null, width integer not null, height integer not null,
    created real not null);
create table if not exists grids (id text primary key, title text not null, axes text not null, created real not null);
create table if not exists settings (name text primary key, value text not null);
"""

ADDED = {
    "parent": "text not null default ''",
    "parent_step": "integer",
    "grid": "text not null default ''",
    "cell": "text not null default ''",
    "steps": "text not null default '[]'",
    "frames": "integer not null default 0",
}
"""Columns of jobs that earlier versions did not have."""

ADDED_TO_SOURCES = {"kind": "text not null default 'photo'", "seconds": "real not null default 0"}
"""And of sources: "photo" or "clip", and how long a clip is."""

STATES = ("waiting", "running", "done", "failed", "cancelled", "deleted")
MASK = "mask"
"""The name of the masks that the page paints."""

ACTIVE = ("waiting", "running")


class Records:
    """The studio's records in the SQLite file at `path`; every change is on the disk when a method returns."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=normal")
        self._db.executescript(SCHEMA)
        for table, added in (("jobs", ADDED), ("sources", ADDED_TO_SOURCES)):
            known = {row["name"] for row in self._db.execute(f"pragma table_info({table})")}
            for name, kind in added.items():
                if name not in known:
                    self._db.execute(f"alter table {table} add column {name} {kind}")
        self._db.execute("create index if not exists jobs_by_grid on jobs (grid)")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add_job(self, **fields: Any) -> dict[str, Any]:
        """Record a new job at the end of the queue and return it."""
        last = self._db.execute("select coalesce(max(rank), 0) from jobs where state in ('waiting', 'running')")
        made = {"id": secrets.token_hex(6), "state": "waiting", "rank": last.fetchone()[0] + 1, "created": time.time()}
        row = {**made, **fields}
        names = ", ".join(row)
        self._db.execute(f"insert into jobs ({names}) values ({', '.join('?' * len(row))})", list(row.values()))
        return self.job(row["id"])  # type: ignore[return-value]  # it is there now

    def job(self, id: str) -> dict[str, Any] | None:
        """Return a job, or None."""
        row = self._db.execute("select * from jobs where id = ?", (id,)).fetchone()
        return None if row is None else _job(row)

    def change(self, id: str, **fields: Any) -> dict[str, Any]:
        """Change fields of a job and return it."""
        assignments = ", ".join(f"{name} = ?" for name in fields)
        values = [json.dumps(each) if isinstance(each, list) else each for each in fields.values()]
        self._db.execute(f"update jobs set {assignments} where id = ?", [*values, id])
        return self.job(id)  # type: ignore[return-value]  # jobs are never removed while they are changed

    def forget(self, id: str) -> None:
        """Remove a job's record."""
        self._db.execute("delete from jobs where id = ?", (id,))

    def jobs(self, *states: str) -> list[dict[str, Any]]:
        """Return the jobs in these states in the order of the queue."""
        marks = ", ".join("?" * len(states))
        rows = self._db.execute(f"select * from jobs where state in ({marks}) order by rank, created", states)
        return [_job(row) for row in rows]

    def gallery(
        self, search: str = "", before: float | None = None, kind: str = "", count: int = 60, skip: int = 0
    ) -> list[dict[str, Any]]:
        """Return finished jobs, newest first, those that finished before a time and match a search."""
        where, values = _matching(search, before, kind)
        order = "order by finished desc, rowid desc"
        found = f"select rowid from jobs where {where} {order} limit ? offset ?"  # which the index alone tells
        query = f"select * from jobs where rowid in ({found}) {order}"
        return [_job(row) for row in self._db.execute(query, [*values, count, skip])]

    def gallery_size(self, search: str = "", kind: str = "") -> int:
        """Return how many finished jobs match a search."""
        where, values = _matching(search, None, kind)
        return int(self._db.execute(f"select count(*) from jobs where {where}", values).fetchone()[0])

    def add_grid(self, title: str, axes: str) -> str:
        """Record a grid and return its id."""
        id = secrets.token_hex(6)
        self._db.execute("insert into grids values (?, ?, ?, ?)", (id, title, axes, time.time()))
        return id

    def grid(self, id: str) -> dict[str, Any] | None:
        """Return a grid, or None."""
        row = self._db.execute("select * from grids where id = ?", (id,)).fetchone()
        return None if row is None else dict(row)

    def grids(self, count: int = 24) -> list[dict[str, Any]]:
        """Return the newest grids that have a job left."""
        query = (
            "select id, title, created from grids where exists (select 1 from jobs where jobs.grid = grids.id "
            "and state != 'deleted') order by created desc limit ?"
        )
        return [dict(row) for row in self._db.execute(query, (count,))]

    def jobs_of(self, grid: str) -> list[dict[str, Any]]:
        """Return the jobs of a grid that are not deleted."""
        rows = self._db.execute("select * from jobs where grid = ? and state != 'deleted'", (grid,))
        return [_job(row) for row in rows]

    def outputs(self) -> set[str]:
        """Return the names that jobs write to."""
        return {row[0] for row in self._db.execute("select output from jobs")}

    def add_source(self, **fields: Any) -> dict[str, Any]:
        """Record a source, if it is not there yet, and return it."""
        row = {**fields, "created": time.time()}
        names = ", ".join(row)
        self._db.execute(
            f"insert or ignore into sources ({names}) values ({', '.join('?' * len(row))})", list(row.values())
        )
        return self.source(fields["sha256"])  # type: ignore[return-value]  # it is there now

    def source(self, sha256: str) -> dict[str, Any] | None:
        """Return the source with this hash, or None."""
        row = self._db.execute("select * from sources where sha256 = ?", (sha256,)).fetchone()
        return None if row is None else dict(row)

    def sources(self, count: int = 24) -> list[dict[str, Any]]:
        """Return the newest sources, without masks."""
        query = "select * from sources where name != ? order by created desc limit ?"
        return [dict(row) for row in self._db.execute(query, (MASK, count))]

    def setting(self, name: str, default: str = "") -> str:
        """Return a setting of the studio itself."""
        row = self._db.execute("select value from settings where name = ?", (name,)).fetchone()
        return default if row is None else str(row[0])

    def set(self, name: str, value: str) -> None:
        """Keep a setting of the studio itself."""
        self._db.execute("insert or replace into settings values (?, ?)", (name, value))


def shown(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return what pages are told of a job: everything but its recipe, which may be long."""
    return {name: value for name, value in job.items() if name != "recipe"}


def _matching(search: str, before: float | None, kind: str) -> tuple[str, list[Any]]:
    """Return the condition for finished jobs that match, and its values."""
    clauses, values = ["state = 'done'"], list[Any]()
    if before is not None:
        clauses.append("finished < ?")
        values.append(before)
    if kind:
        clauses.append("kind = ?")
        values.append(kind)
    for word in search.split()[:8]:
        pattern = f"%{word.replace('!', '!!').replace('%', '!%').replace('_', '!_')}%"
        date = "strftime('%Y-%m-%d', finished, 'unixepoch', 'localtime')"
        clauses.append(
            f"(title like ? escape '!' or net like ? escape '!' or output like ? escape '!' or {date} like ?)"
        )
        values += [pattern] * 4
    return " and ".join(clauses), values


def _job(row: sqlite3.Row) -> dict[str, Any]:
    job = dict(row)
    job["files"], job["steps"] = json.loads(job["files"]), json.loads(job["steps"])
    return job

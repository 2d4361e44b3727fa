"""The studio's records, when there are very many."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from phosphene.studio.records import Records

MANY = 10_000
DAY = 86_400
FILL = f"""
    with recursive counted(i) as (select 0 union all select i + 1 from counted where i < {MANY - 1})
    insert into jobs (id, kind, title, recipe, state, rank, output, net, created, finished)
    select i, 'dream', 'block' || (i % 16) || ' · photo ' || i, hex(zeroblob(1000)), 'done', i, i || '.png', 'lite', 0,
    1e9 + {DAY} * (i / 100) from counted
"""


def test_ten_thousand_results_are_listed_and_searched_at_once(tmp_path: Path) -> None:
    records = Records(tmp_path / "studio.db")
    with sqlite3.connect(tmp_path / "studio.db") as database:
        database.execute(FILL)
    asked: list[dict[str, Any]] = [{}, {"skip": MANY - 60}, {"search": "block3 photo 99"}, {"before": 1e9 + DAY}]
    for question in asked:
        began = time.process_time()
        assert records.gallery(**question)
        assert time.process_time() - began < 0.05
    titles = [job["title"].split()[-1] for job in records.gallery(count=60, skip=30)]
    assert titles == [str(MANY - 1 - number) for number in range(30, 90)]  # also those that ended at the same time
    assert records.gallery_size() == MANY
    assert records.gallery_size("photo 99") == sum("99" in str(number) for number in range(MANY))
    assert {job["finished"] for job in records.gallery("2001-09-11")} <= {1e9 + DAY, 1e9 + 2 * DAY}
    assert records.gallery("2001-09-11")
    records.close()

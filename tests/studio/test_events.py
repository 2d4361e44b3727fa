"""Events: every page hears all of them, whatever other pages do."""

from __future__ import annotations

import asyncio

from phosphene.studio.events import Events


def test_a_page_that_stops_reading_is_let_go_and_the_others_hear_everything() -> None:
    async def follow() -> tuple[list[object], list[object]]:
        events = Events(lambda: "snapshot")
        idle, reader = events.listen(None), events.listen(None)
        assert [(await anext(each)).data for each in (idle, reader)] == ["snapshot", "snapshot"]
        heard = []
        for number in range(5000):
            events.send("job", number)
            heard.append((await anext(reader)).data)
        return heard, [each async for each in idle]

    heard, kept = asyncio.run(follow())
    assert heard == [*range(5000)]
    assert kept == []  # its stream has ended, and nothing waits for it

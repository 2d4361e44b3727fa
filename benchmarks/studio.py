"""The studio under load: how soon pages are answered while a job computes, and how long after a click events arrive.

Several clients ask for pages and follow the events of one studio that dreams all the time; a job is added now and then.
`python benchmarks/studio.py 600` measures for ten minutes; the default is half a minute.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from statistics import median, quantiles

import httpx

CLIENTS = 8
PAGE = 100
PHOTO = Path(__file__).parent.parent / "examples" / "clouds.jpg"
QUICK = {"net": "pocket", "size": 64, "octaves": 1, "steps": 2}
LONG = {"net": "pocket", "size": 512, "steps": 10_000}


def main(seconds: float) -> None:
    """Measure for this many seconds, and print the result."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "phosphene", "studio", "--port", "0", "--folder", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                measure(process.stdout.readline().strip(), process.pid, seconds)
            finally:
                process.terminate()


def measure(link: str, pid: int, seconds: float) -> None:
    """Ask the studio at `link`."""
    client = httpx.Client(base_url=link, timeout=120)
    source = client.post("/api/sources", content=PHOTO.read_bytes()).json()["source"]["sha256"]
    client.post("/api/jobs", json={"kind": "dream", "source": source, "settings": LONG})
    until = time.monotonic() + seconds
    answered: list[float] = []
    heard: dict[str, float] = {}
    for _ in range(CLIENTS):
        threading.Thread(target=ask, args=(link, until, answered), daemon=True).start()
    threading.Thread(target=listen, args=(link, heard), daemon=True).start()
    time.sleep(1)
    clicked: dict[str, float] = {}
    lags = []
    while time.monotonic() < until:
        now = time.monotonic()
        body = {"kind": "dream", "source": source, "settings": QUICK, "now": True}
        clicked[client.post("/api/jobs", json=body).json()["id"]] = now
        time.sleep(2)
    time.sleep(1)
    lags = [1000 * (heard[id] - began) for id, began in clicked.items() if id in heard]
    while [job for job in client.get("/api/jobs").json()["jobs"] if job["id"] in clicked and job["state"] != "failed"]:
        time.sleep(0.5)
    done: set[str] = set()
    while page := client.get(f"/api/gallery?count={PAGE}&skip={len(done)}").json():
        done |= {job["id"] for job in page}
    ordered = quantiles(answered, n=100)
    print(f"{len(answered)} requests of {CLIENTS} clients: median {median(answered):.1f} ms, 99th {ordered[98]:.1f} ms")
    print(f"click to first event: median {median(lags):.1f} ms, 99th {quantiles(lags, n=100)[98]:.1f} ms")
    print(f"{len(clicked)} jobs added while another one computed, {len(set(clicked) - done)} lost")
    peak = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(f"server's peak memory: {int(peak.split()[1]) / 1000:.0f} MB")


def ask(link: str, until: float, answered: list[float]) -> None:
    """Ask for pages, as somebody does who looks around."""
    with httpx.Client(base_url=link, timeout=120) as client:
        while time.monotonic() < until:
            for path in ("/", "/static/make.js", "/api/jobs", "/api/gallery"):
                began = time.perf_counter()
                client.get(path).raise_for_status()
                answered.append(1000 * (time.perf_counter() - began))
                time.sleep(0.1)


def listen(link: str, heard: dict[str, float]) -> None:
    """Note when each job is heard of first."""
    with suppress(httpx.HTTPError), httpx.stream("GET", f"{link}api/events", timeout=None) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: {"):
                id = json.loads(line.removeprefix("data: ")).get("id")
                if id is not None:
                    heard.setdefault(id, time.monotonic())


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 30.0)

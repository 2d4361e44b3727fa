"""The famous networks by name: from a server or by hand into the cache, and from there to a network."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from phosphene import nets
from phosphene.cli.root import phosphene
from phosphene.errors import UnknownNameError, WeightsError
from phosphene.nets.weights import store
from phosphene.nets.weights.download import Mirror
from phosphene.nets.weights.store import Digest
from phosphene.nets.zoo import catalogue, googlenet, inception5h
from tests.nets.modelfiles import FrozenGraph, caffemodel, random_weights


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "nets"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files with random weights, as the official hosts have them."""
    folder = tmp_path_factory.mktemp("host")
    caffemodel(folder / "googlenet.caffemodel", random_weights(googlenet.structure(1000).table))
    graph = FrozenGraph(random_weights(inception5h.structure().table)).write(folder / "tensorflow_inception_graph.pb")
    with zipfile.ZipFile(folder / "inception5h.zip", "w") as archive:
        archive.write(graph, graph.name)
    return folder


@pytest.fixture
def host(files: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server with these files, which the zoo takes for the official ones."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(files)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    members = {"googlenet": None, "inception5h": "tensorflow_inception_graph.pb"}
    hosted = {"googlenet": "googlenet.caffemodel", "inception5h": "inception5h.zip"}
    for name, member in members.items():
        known = hashlib.sha1((files / (member or hosted[name])).read_bytes()).hexdigest()
        entry = replace(
            catalogue.ENTRIES[name], mirrors=(Mirror(f"{url}/{hosted[name]}", member),), digest=Digest("sha1", known)
        )
        monkeypatch.setitem(catalogue.ENTRIES, name, entry)
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", ["googlenet", "inception5h"])
def test_a_net_asked_for_by_name_is_fetched_once(name: str, host: str, cache: Path) -> None:
    seen: list[int] = []
    net = nets.load(name, lambda done, total: seen.append(done))
    assert seen
    assert net(torch.rand(1, 3, 64, 64), ["inception_4c/output"])["inception_4c/output"].shape == (1, 512, 4, 4)
    path = next(each for each in (cache / name).iterdir() if each.suffix in (".pb", ".caffemodel"))
    assert net.card.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    seen.clear()
    nets.load(name, lambda done, total: seen.append(done))
    assert not seen


def test_describing_fetches_nothing(cache: Path) -> None:
    assert nets.describe("vgg16").layer("relu4_3").channels == 512
    assert not cache.exists()


def test_names_are_those_that_load_knows() -> None:
    assert set(nets.names()) == {"pocket", *catalogue.ENTRIES}
    with pytest.raises(UnknownNameError, match="did you mean 'googlenet'"):
        nets.load("gogglenet")


@pytest.mark.parametrize("file", ["inception5h.zip", "tensorflow_inception_graph.pb"])
def test_a_file_is_added_by_hand_packed_or_not(file: str, host: str, files: Path, cache: Path) -> None:
    path = catalogue.add("inception5h", files / file)
    assert path == cache / "inception5h" / "tensorflow_inception_graph.pb"
    assert path.read_bytes() == (files / "tensorflow_inception_graph.pb").read_bytes()
    assert (files / file).exists()
    assert sorted(each.name for each in path.parent.iterdir()) == ["about.json", path.name]


def test_another_file_is_taken_as_ones_own_only_when_asked(files: Path) -> None:
    with pytest.raises(WeightsError, match="must be SHA-1 405fc5acd08a3bb12de8ee5e23a96bec22f08204"):
        catalogue.add("googlenet", files / "googlenet.caffemodel")
    catalogue.add("googlenet", files / "googlenet.caffemodel", own=True)
    assert nets.load("googlenet").card.name == "googlenet"
    own = next(each for each in catalogue.listing() if each.entry.name == "googlenet")
    assert own.kept is not None
    assert not own.kept.verified
    listed = json.loads(CliRunner().invoke(phosphene, ["nets", "--json"]).stdout)
    assert {each["net"]: each["here"] for each in listed}["googlenet"] == "own"


def test_ones_own_weights_must_fit(files: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"'loss3/classifier.weight' must be 205 x 1024, .* in googlenet\.caffemodel"
    ):
        catalogue.add("googlenet-places205", files / "googlenet.caffemodel", own=True)
    assert store.find("googlenet-places205") is None


def test_the_command_line_fetches_lists_and_removes(host: str, cache: Path) -> None:
    fetched = CliRunner().invoke(phosphene, ["nets", "fetch", "googlenet"])
    assert fetched.exit_code == 0
    assert fetched.stdout.strip() == str(cache / "googlenet" / "googlenet.caffemodel")
    listed = CliRunner().invoke(phosphene, ["nets", "--json"])
    here = {each["net"]: each["here"] for each in json.loads(listed.stdout)}
    assert (here["googlenet"], here["vgg16"]) == ("yes", "no")
    removed = CliRunner().invoke(phosphene, ["nets", "remove", "googlenet"])
    assert removed.stdout == "googlenet: 28.0 MB freed\n"
    assert store.find("googlenet") is None


@pytest.mark.parametrize("name", catalogue.ENTRIES)
def test_entries_are_whole(name: str) -> None:
    entry = catalogue.find(name)
    assert entry.title
    assert entry.licence
    assert all(mirror.url.startswith(("https://", "http://")) for mirror in entry.mirrors)
    assert len(entry.digest.value) in (0, 8, 40, 64)
    card = catalogue.card(name)
    assert card.name == name
    assert card.layer(card.default_target).receptive is not None

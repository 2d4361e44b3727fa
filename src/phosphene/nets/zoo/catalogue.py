"""The networks by name, bundled and famous: their origin, how a file is verified, and how it becomes a network.

Listing them needs no torch. `docs/networks.md` has the sources and what is known of them.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from phosphene.errors import UnknownNameError, WeightsError
from phosphene.nets.weights import archives, download, package, store
from phosphene.nets.weights.download import Mirror, Progress
from phosphene.nets.weights.regular import check_regular
from phosphene.nets.weights.store import Digest, StoredFile

if TYPE_CHECKING:
    from phosphene.nets.base import Net
    from phosphene.nets.card import Card

Colour = tuple[float, ...]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IMAGENET_LABELS = "labels/imagenet.tsv"
TORCHVISION = "https://download.pytorch.org/models/"
TORCHVISION_LICENCE = "BSD-3-Clause"
PLACES_LICENCE = "CC BY"


@dataclass(frozen=True)
class Statistics:
    """The file of a bundled network's activation statistics, a path in the package, and its hash."""

    file: str
    digest: Digest


@dataclass(frozen=True)
class Entry:
    """One network; `megabytes` is the approximate size of its file, `structure` the name of its plan.

    `labels` is a path in the package. Of a bundled network, which has `statistics` and no mirrors, so is `file`.
    `size` is the side in pixels of the inputs that its weights were trained on last, where it is not the structure's.
    """

    name: str
    title: str
    structure: str
    mean: Colour
    std: Colour
    labels: str
    mirrors: tuple[Mirror, ...]
    file: str
    digest: Digest
    megabytes: int
    licence: str
    statistics: Statistics | None = None
    size: int | None = None

    @property
    def bundled(self) -> bool:
        """Whether the network comes with phosphene."""
        return self.statistics is not None

    @property
    def most(self) -> int:
        """The largest size in bytes that is accepted for a download or a file in an archive."""
        return (2 * self.megabytes + 16) * 1_000_000


@dataclass(frozen=True)
class Listing:
    """One line of `phosphene nets list`; `kept` is None for a network that was neither fetched nor added."""

    entry: Entry
    path: Path | None
    kept: StoredFile | None


def _bytes(red: float, green: float, blue: float) -> Colour:
    """Convert a mean from the scale of 0 to 255."""
    return red / 255, green / 255, blue / 255


ONE_BYTE = _bytes(1, 1, 1)
LITE_MEAN, LITE_STD = _bytes(127, 127, 127), _bytes(128, 128, 128)
CAFFE_MEAN = _bytes(123, 117, 104)
EAR_INPUT = ((1.417908787727356,), (1.379737138748169,))
"""Mean and std of a spectrogram, which the network's first batch norm was folded into."""


def _torchvision(name: str, title: str, structure: str, file: str, megabytes: int, *, halves: bool = False) -> Entry:
    # `halves`: torchvision maps images to about -1..1 for the weights that came from Google.
    mean, std = ((0.5,) * 3, (0.5,) * 3) if halves else (IMAGENET_MEAN, IMAGENET_STD)
    digest = Digest("sha256", file.removesuffix(".pth").rpartition("-")[2])
    mirrors = (Mirror(TORCHVISION + file),)
    return Entry(
        name, title, structure, mean, std, IMAGENET_LABELS, mirrors, file, digest, megabytes, TORCHVISION_LICENCE
    )


def _bundled(
    name: str,
    title: str,
    structure: str,
    colours: tuple[Colour, Colour],
    labels: str,
    files: tuple[str, str],
    hashes: tuple[str, str],
    megabytes: int,
    licence: str = "Apache-2.0",
) -> Entry:
    # `files` and `hashes` are those of the weights and of the statistics.
    weights, statistics = (Digest("sha256", each) for each in hashes)
    known = Statistics(files[1], statistics)
    return Entry(name, title, structure, *colours, labels, (), files[0], weights, megabytes, licence, known)


def _lite(name: str, title: str, size: int, *hashes: str) -> Entry:
    files = (f"lite_weights/{name}.safetensors", f"lite_weights/{name}-statistics.safetensors")
    colours = (LITE_MEAN, LITE_STD)
    known = _bundled(name, title, "efficientnet-lite0", colours, IMAGENET_LABELS, files, (hashes[0], hashes[1]), 9)
    return replace(known, size=size)


def _caffe(
    name: str, title: str, structure: str, labels: str, mirrors: tuple[Mirror, ...], digest: Digest, licence: str
) -> Entry:
    file = f"{name}.caffemodel"
    return Entry(name, title, structure, CAFFE_MEAN, ONE_BYTE, labels, mirrors, file, digest, 54, licence)


PLACES205_FILE = "googlelet_places205_train_iter_2400000.caffemodel"  # spelt so by its authors

ENTRIES = {
    entry.name: entry
    for entry in (
        _bundled(
            "pocket",
            "the small bundled network, trained at 64 pixels on Tiny ImageNet",
            "pocket",
            ((0.45,) * 3, (0.225,) * 3),
            "pocket_weights/labels.tsv",
            ("pocket_weights/pocket.safetensors", "pocket_weights/statistics.safetensors"),
            (
                "20ec505528db6787325e5b840ed6f549fd2b5ff0669e3fa5624ddffacf9906f1",
                "4a02ac2d488435abe4f780584ea7f7a345f479d771fbfb8633f5fe4ac3c2e5a8",
            ),
            13,
        ),
        _lite(
            "lite",
            "EfficientNet-Lite0, fine-tuned against adversarial changes so that its gradients draw",
            144,
            "3aa76d500c34fb0da9adc1f7b2ded0a0f23210c94fa06af24d23bed0f575d99b",
            "67332888c004f7eb4f3472b4795bf70b4ca575273ea4135f06c13d2889843351",
        ),
        _lite(
            "lite-clean",
            "EfficientNet-Lite0 as published, which recognises best",
            224,
            "0b91047cd70d3b7beacc5e52f270e3ea30c932bde02e9b125a780705a51cebd9",
            "0881caadc068d6a546cb2c73c64fe4fd16368af0c1513518ba49d3b4e3ce2e3b",
        ),
        _bundled(
            "ear",
            "a small bundled network that hears: 50 tags of music, trained on MagnaTagATune",
            "ear",
            EAR_INPUT,
            "ear_weights/labels.tsv",
            ("ear_weights/ear.safetensors", "ear_weights/statistics.safetensors"),
            (
                "2a52bf9fd7a4a3984d3c68702d030711ffb5a7f54c87868b9ca22b771d78e4a8",
                "c0023aec5ab3c8ef606e92f376247663eaa5259ac293a0555a849e758b5939ae",
            ),
            1,
            licence="ISC",
        ),
        _caffe(
            "googlenet",
            "BVLC GoogLeNet, the network of the 2015 notebook",
            "googlenet",
            IMAGENET_LABELS,
            (
                Mirror("http://dl.caffe.berkeleyvision.org/bvlc_googlenet.caffemodel"),
                Mirror(
                    "https://www.deepdetect.com/downloads/platform/pretrained/caffe/googlenet/bvlc_googlenet.caffemodel"
                ),
            ),
            Digest("sha1", "405fc5acd08a3bb12de8ee5e23a96bec22f08204"),
            "unrestricted",
        ),
        _caffe(
            "googlenet-places205",
            "GoogLeNet of 205 kinds of places, the buildings of the 2015 article",
            "googlenet",
            "labels/places205.tsv",
            (
                Mirror("http://places.csail.mit.edu/model/googlenet_places205.tar.gz", PLACES205_FILE),
                Mirror(f"https://s3-us-west-2.amazonaws.com/crowsonkb-deep-dream/{PLACES205_FILE}"),
            ),
            Digest("sha1", "d767debf686fa15df1e05fbc9b4598076127134a"),
            PLACES_LICENCE,
        ),
        _caffe(
            "googlenet-places365",
            "GoogLeNet of 365 kinds of places",
            "googlenet",
            "labels/places365.tsv",
            (Mirror("http://places2.csail.mit.edu/models_places365/googlenet_places365.caffemodel"),),
            Digest(),
            PLACES_LICENCE,
        ),
        Entry(
            "inception5h",
            "TensorFlow's GoogLeNet, the InceptionV1 of Lucid and Distill",
            "inception5h",
            _bytes(117, 117, 117),
            ONE_BYTE,
            "labels/inception5h.tsv",
            (
                Mirror(
                    "https://storage.googleapis.com/download.tensorflow.org/models/inception5h.zip",
                    "tensorflow_inception_graph.pb",
                ),
            ),
            "tensorflow_inception_graph.pb",
            Digest("sha1", "c8a5a000ee8d8dd75886f152a50a9c5b53d726a5"),
            50,
            "Apache-2.0",
        ),
        _torchvision("vgg16", "VGG, 16 layers deep", "vgg16", "vgg16-397923af.pth", 553),
        _torchvision("vgg19", "VGG, 19 layers deep", "vgg19", "vgg19-dcbb9e9d.pth", 575),
        _torchvision(
            "googlenet-torchvision",
            "GoogLeNet with batch norm",
            "googlenet-torchvision",
            "googlenet-1378be20.pth",
            52,
            halves=True,
        ),
        _torchvision("resnet50", "ResNet, 50 layers deep", "resnet50", "resnet50-0676ba61.pth", 103),
        _torchvision(
            "inception-v3",
            "Inception V3, Google's weights",
            "inception-v3",
            "inception_v3_google-0cc3c7bd.pth",
            109,
            halves=True,
        ),
    )
}


def find(name: str) -> Entry:
    """Return the entry called `name`. Raises `UnknownNameError` with the nearest names."""
    try:
        return ENTRIES[name]
    except KeyError:
        raise UnknownNameError("net", name, ENTRIES) from None


def listing() -> Iterator[Listing]:
    """Yield every network, and what was fetched or added of it."""
    for entry in ENTRIES.values():
        found = store.find(entry.name)
        yield Listing(entry, *found) if found else Listing(entry, None, None)


def is_here(name: str) -> bool:
    """Return whether the model file of `name` is bundled, or has been fetched or added."""
    entry = find(name)
    return entry.bundled or store.find(entry.name) is not None


def fetch(name: str, progress: Progress | None = None, *, unverified: bool = False) -> Path:
    """Return the path of the model file of `name`; download and verify it first if it is not installed.

    `progress` is called with the bytes so far and their total (None if the server does not say).
    Raises `WeightsError` with the URL, the expected hash, and how to install the file by hand.
    """
    entry = find(name)
    if found := store.find(name):
        return found[0]
    if entry.bundled:
        return package.path(entry.file)
    if not entry.digest.value and not unverified:
        raise WeightsError(
            f"{name} cannot be verified: nobody has published its hash, and its server sends it unencrypted. If you "
            f"accept that, run: phosphene nets fetch {name} --unverified"
        )
    return download.fetch(name, entry.file, entry.mirrors, entry.digest, most=entry.most, progress=progress)


def add(name: str, file: Path, *, own: bool = False) -> Path:
    """Install a model file, or the archive that contains it, and return the path where it is kept.

    Its hash must be the known one. With `own`, any weights that fit the network are accepted, in any format and with
    the tensor names of the official file: for example those of a fine-tuned network. A bundled network may be replaced
    so, until the file is removed. Raises `WeightsError`.
    """
    entry = find(name)
    if entry.bundled and not own:
        raise WeightsError(f"{name} is bundled: to use other weights of this structure in its place, add --own")
    check_regular(file)
    if file.is_dir():
        raise WeightsError(f"{file} is a folder: give the model file in it", path=file)
    with store.lock(name):
        place = store.folder() / name
        place.mkdir(parents=True, exist_ok=True)
        ready = place / f".{Path(entry.file).name}.{secrets.token_hex(4)}.added"
        try:
            member = next((mirror.member for mirror in entry.mirrors if mirror.member), None)
            if member is not None and archives.is_archive(file):
                archives.extract(file, member, ready, entry.most)
            else:
                shutil.copyfile(file, ready)
            if own:
                from phosphene.nets.zoo import structures

                structures.load(entry, ready, sha256="", called=file.name)
            return store.keep(name, ready, Path(entry.file).name, entry.digest, origin=str(file), own=own)
        finally:
            ready.unlink(missing_ok=True)


def remove(name: str) -> int:
    """Remove the files of `name` and return the number of bytes freed."""
    return store.remove(find(name).name)


def load(name: str, progress: Progress | None = None) -> Net:
    """Return the network `name` with its weights, downloaded first if it is not installed."""
    from phosphene.nets.zoo import structures

    entry = find(name)
    path = fetch(name, progress)
    found = store.find(name)
    if found is None and entry.bundled:
        return structures.bundled(entry)
    return structures.load(entry, path, sha256=found[1].sha256 if found else "")


def card(name: str) -> Card:
    """Return the card of `name` without downloading or reading its weights."""
    from phosphene.nets.zoo import structures

    return structures.describe(find(name))

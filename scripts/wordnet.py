"""Write the table of words above the labels from WordNet 3.0's own files: `data.noun` and `index.noun`.

    .venv/bin/python scripts/wordnet.py /usr/share/wordnet      # where Debian's package wordnet-base puts them

A line for every synset of a bundled table of labels, and for each that is above one of them: its id, those directly
above it, and its words. A word that has several meanings is followed by # and the number of its sense in WordNet.
"""

from __future__ import annotations

import sys
from pathlib import Path

ZOO = Path(__file__).parent.parent / "src" / "phosphene" / "nets" / "zoo"
LABELS = ("labels/imagenet.tsv", "labels/inception5h.tsv", "pocket_weights/labels.tsv")
TABLE = ZOO / "labels" / "wordnet.tsv"
HYPERNYM = "@"

Synset = tuple[tuple[str, ...], tuple[str, ...]]
"""The ids of the synsets directly above a synset, and its words."""


def read_synsets(path: Path) -> dict[str, Synset]:
    """Read `data.noun`, whose format `man 5 wndb` describes."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):  # the licence
            continue
        fields = line.split(" | ")[0].split()
        count = int(fields[3], 16)
        words = tuple(fields[4 + 2 * i].replace("_", " ") for i in range(count))
        pointers = fields[5 + 2 * count :]
        above = tuple(f"n{pointers[i + 1]}" for i in range(0, len(pointers) - 3, 4) if pointers[i] == HYPERNYM)
        found[f"n{fields[0]}"] = above, words
    return found


def read_senses(path: Path) -> dict[str, list[str]]:
    """Read `index.noun`: for each word, in lower case, its synsets from the most frequent sense on."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            fields = line.split()
            found[fields[0].replace("_", " ")] = [f"n{offset}" for offset in fields[-int(fields[2]) :]]
    return found


def read_labels(path: Path) -> dict[str, list[str]]:
    """Read a table of labels: the names of each synset."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return {id: [name.strip() for name in names.split(",")] for _, id, names in rows if id}


def closure(ids: set[str], synsets: dict[str, Synset]) -> set[str]:
    """Return `ids` and all that is above them."""
    found, ahead = set(), set(ids)
    while ahead:
        id = ahead.pop()
        found.add(id)
        ahead |= set(synsets[id][0]) - found
    return found


def main(folder: Path) -> None:
    """Write the table from the WordNet files in `folder`."""
    synsets, senses = read_synsets(folder / "data.noun"), read_senses(folder / "index.noun")
    labels = {id: names for table in LABELS for id, names in read_labels(ZOO / table).items()}
    for id, names in labels.items():
        if sorted(names) != sorted(synsets[id][1]):
            sys.exit(f"{id} must be {', '.join(synsets[id][1])}, but is labelled {', '.join(names)}")
    lines = []
    for id in sorted(closure(set(labels), synsets)):
        above, words = synsets[id]
        numbers = [senses[word.lower()].index(id) + 1 for word in words]
        written = [
            word if len(senses[word.lower()]) == 1 else f"{word}#{number}"
            for word, number in zip(words, numbers, strict=True)
        ]
        lines.append("\t".join((id, " ".join(above), ", ".join(written))))
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))

"""The notebooks of the docs run, with small pictures and few steps."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
QUICK = {
    "NET": '"pocket"',
    "LAYERS": '["conv2", "mixed3a", "mixed4a"]',
    "SIZE": "32",
    "STEPS": "1",
    "SECONDS": "0.1",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of the notebook's own machinery, about event loops and paths
]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The cells of all notebooks, run one after the other in one kernel, since starting one takes seconds."""
    nbclient = pytest.importorskip("nbclient")
    place = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "examples", place / "examples")
    (place / "docs" / "notebooks").mkdir(parents=True)
    whole = nbformat.v4.new_notebook()
    for path in NOTEBOOKS:
        whole.cells.append(nbformat.v4.new_code_cell("%reset -f"))
        for cell in nbformat.read(path, as_version=4).cells:
            for name, value in QUICK.items():
                cell.source = re.sub(rf"^{name} = .+$", f"{name} = {value}", cell.source, flags=re.M)
            few = "steps=STEPS, views=1" if "morph" in cell.source else "steps=STEPS, views=1, sketches=1"
            cell.source = cell.source.replace("steps=STEPS", few)
            cell.id = f"{path.stem}-{len(whole.cells)}"
            whole.cells.append(cell)
    resources = {"metadata": {"path": place / "docs" / "notebooks"}}
    nbclient.NotebookClient(whole, timeout=300, kernel_name="python3", resources=resources).execute()
    return list(whole.cells)


def kinds(cells: list[Any], name: str) -> list[str]:
    """The kinds of what the cells of a notebook show, in order, without progress."""
    outputs = [each for cell in cells if cell.id.startswith(name) for each in cell.get("outputs", [])]
    assert not [each for each in outputs if each.output_type == "error"]
    return [kind for each in outputs if each.output_type == "execute_result" for kind in each.data]


def test_there_are_four() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["dream", "films", "imagine", "look-inside"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_are_kept_without_outputs(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert not any(cell.get("outputs") for cell in cells)


def test_they_run_and_show_what_they_make(executed: list[Any]) -> None:
    assert kinds(executed, "dream").count("image/png") == 3
    assert kinds(executed, "dream").count("text/html") == 2
    assert kinds(executed, "imagine").count("image/png") == 2
    assert kinds(executed, "look-inside").count("text/html") == 2
    assert kinds(executed, "films").count("text/html") == 3

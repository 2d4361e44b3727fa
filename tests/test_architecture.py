"""The house style, where a program can check it: who imports whom, what is public, and what the docs name."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import phosphene
from phosphene.cli.root import COMMANDS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "phosphene"
MODULES = sorted(PACKAGE.rglob("*.py"))
NAMES = {path: ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in MODULES}
KNOWN = set(NAMES.values())

STAGES = {"canvas", "transforms", "nets", "objectives", "gradients"}
# Each package may import those named here, and itself; whatever is not named is forbidden, and whatever is named is
# needed. `docs/flow.md` says why.
_BELOW = {
    "__init__": "api attribution errors insight kinds learning nets objectives recipe render",
    "__main__": "cli",
    "options": "nets",
    "api": "objectives options recipe render",
    "learning": "api options render",
    "insight": "api objectives options render",
    "cli": "api attribution camera errors gradients kinds knowledge measure media nets objectives recipe render studio",
    "cluster": "errors gradients loops nets",
    "render": "cluster errors fractals gradients kinds knowledge loops media "
    "nets objectives recipe resampling rng training types",
    "knowledge": "canvas errors gradients loops media nets objectives recipe resampling rng types",
    "training": "canvas errors gradients loops media nets objectives recipe resampling rng transforms types",
    "camera": "attribution errors gradients loops nets objectives recipe types",
    "studio": "attribution camera errors gradients kinds media nets objectives recipe render resampling types",
    "attribution": "errors media nets objectives resampling types",
    "loops": "canvas errors fractals gradients nets objectives pyramid recipe resampling rng transforms types vjp",
    "media": "errors types",
    "recipe": "errors kinds",
    "kinds": "",
    "rng": "",
    "resampling": "types",
    "pyramid": "types",
    "vjp": "",
    "fractals": "errors scanner",
    "measure": "errors fractals media",
    "registry": "errors",
    "scanner": "errors",
    "types": "",
    "errors": "",
    "gradients": "errors pyramid registry resampling types",
    "transforms": "errors types",
    "nets": "errors types",
    "canvas": "errors resampling types vjp",
    "objectives": "errors registry scanner types",
}
BELOW = {name: set(others.split()) for name, others in _BELOW.items()}
# Of another stage, a stage may import the module that states its contract, and nothing else.
CONTRACTS = {
    "phosphene.nets.card",
    "phosphene.nets.base",
    "phosphene.nets.receptive",
    "phosphene.objectives.base",
}
FILES = {"open", "read_bytes", "write_bytes", "read_text", "write_text"}
MAY_TOUCH_FILES = {"media", "nets", "cli", "studio"}
ASKS_THE_SYSTEM = "phosphene.gradients.allocator"  # how much memory there is: Linux tells it as a file


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def of_every_module(check: Callable[[Path], None]) -> Callable[[], None]:
    """Return a test that checks all modules: pytest takes longer for a test of each than the checks do."""

    def test() -> None:
        problems = []
        for path in MODULES:
            try:
                check(path)
            except AssertionError as problem:
                problems.append(f"{NAMES[path]}: {problem}")
        assert not problems, "\n".join(problems)

    test.__name__, test.__doc__ = check.__name__, check.__doc__
    return test


def part(module: str) -> str:
    """The part of the system that a module belongs to."""
    return module.split(".")[1] if "." in module else "phosphene"


@cache
def imports(path: Path) -> set[str]:
    """The modules of phosphene that a file imports, anywhere in it, other than for types only."""
    tree = parsed(path)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if {whole, f"{whole}.__init__"} & KNOWN else node.module)
    return {name for name in found if name.split(".")[0] == "phosphene"}


def at_import(path: Path) -> list[ast.stmt]:
    """The statements of a file that run when it is imported."""
    return [
        node
        for node in parsed(path).body
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]


@of_every_module
def test_imports_point_downward(path: Path) -> None:
    own = part(NAMES[path])
    if own in ("__init__", "phosphene"):
        return
    for name in imports(path):
        other = part(name)
        if other in (own, "phosphene") or (name in CONTRACTS and own in STAGES):
            continue
        assert other in BELOW[own], f"{NAMES[path]} must not import {name}"


def test_nothing_is_allowed_that_is_not_needed() -> None:
    used: dict[str, set[str]] = {name: set() for name in BELOW}
    for path in MODULES:
        own = part(NAMES[path])
        if own != "phosphene":
            used[own] |= {part(name) for name in imports(path) if not (name in CONTRACTS and own in STAGES)}
    for own, others in BELOW.items():
        assert others <= used[own], f"{own} imports none of {others - used[own]}"
    assert sum(map(len, BELOW.values())) < len(BELOW) * (len(BELOW) - 1) / 4


@of_every_module
def test_modules_are_small_and_silent(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    written = NAMES[path] == "phosphene.options"  # by scripts/docs, of all kinds of work
    assert len(text.splitlines()) <= 400 or written, "split it by concept"
    assert path.stem not in ("utils", "helpers", "misc", "common")
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("print", "hasattr", "eval", "exec"), f"line {node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr != "basicConfig", f"line {node.lineno}: the library configures no logging"


@of_every_module
def test_functions_are_short(path: Path) -> None:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
            doc = ast.get_docstring(node)
            lines = node.end_lineno - node.lineno - (doc.count("\n") if doc else 0)
            assert lines <= 60, f"{node.name} has {lines} lines"


@of_every_module
def test_nothing_is_done_at_import(path: Path) -> None:
    for statement in at_import(path):
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert not re.search(r"torch\.device|is_available|mkdir|manual_seed|set_num_threads", called)


@of_every_module
def test_files_are_touched_at_the_edges_only(path: Path) -> None:
    if part(NAMES[path]) in MAY_TOUCH_FILES or NAMES[path] == ASKS_THE_SYSTEM:
        return
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert name not in FILES, f"line {node.lineno}: {name}"


@of_every_module
def test_public_names_have_docstrings(path: Path) -> None:
    tree = parsed(path)
    if path.read_text(encoding="utf-8").strip():
        assert ast.get_docstring(tree), "a module begins with what it is"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if [ast.unparse(each) for each in node.decorator_list] == ["overload"]:
                continue
            assert ast.get_docstring(node), f"{node.name} has no docstring"


CORE = {
    *("job", "again", "see", "hear", "load_net", "wrap", "parse"),
    *("Job", "Event", "Picture", "Pictures", "FilmFile", "Sight", "Learnt", "PhospheneError"),
    *("Channel", "Class", "Layer", "Neuron", "Recipe", "Noise", "Dataset"),
}
"""The public names besides the kinds of work, their recipes, and the objectives with arguments."""


def test_a_class_has_a_name_of_its_own() -> None:
    where: dict[str, set[str]] = {}
    for path in MODULES:
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where.setdefault(node.name, set()).add(NAMES[path])
    assert {name: places for name, places in where.items() if len(places) > 1} == {}


def test_public_names_are_few_and_there() -> None:
    from phosphene.kinds import KINDS
    from phosphene.objectives.function import functions

    recipes = {kind.recipe.__name__ for kind in KINDS.values()}
    objectives = {functions()[name].__name__ for name in functions()}
    assert set(phosphene.__all__) <= CORE | set(KINDS) | recipes | objectives
    assert set(phosphene.__all__) >= CORE | recipes | objectives
    assert len(set(phosphene.__all__)) == len(phosphene.__all__)
    for name in phosphene.__all__:
        assert getattr(phosphene, name).__doc__, name
    assert set(phosphene.__all__) <= set(dir(phosphene))
    with pytest.raises(AttributeError, match=r"no attribute 'draem'.*'dream'"):
        phosphene.draem  # noqa: B018


def test_every_recipe_is_public() -> None:
    from phosphene.kinds import KINDS

    for kind in KINDS.values():
        assert getattr(phosphene, kind.recipe.__name__) is kind.recipe


def test_the_docstring_draws_the_flow() -> None:
    assert phosphene.__doc__ is not None
    drawing = phosphene.__doc__.strip().splitlines()[2:]
    assert len(drawing) == 7


def test_importing_phosphene_is_light() -> None:
    code = "import sys, phosphene; print([m for m in ('torch', 'numpy', 'pydantic', 'PIL') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == phosphene.__version__


def documented() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))


def test_docs_name_every_command() -> None:
    for name in COMMANDS:
        assert f"phosphene {name}" in documented(), name


def test_docs_name_every_net() -> None:
    from phosphene import nets

    for name in nets.names():
        assert re.search(rf"`{re.escape(name)}`", documented()), name


def test_docs_name_every_objective() -> None:
    text = (ROOT / "docs" / "objectives.md").read_text(encoding="utf-8")
    for name in ("Channel", "Class", "Guide", "Layer", "Neuron"):
        assert name in text, name
    from phosphene.objectives.base import Leaf
    from phosphene.objectives.function import functions

    public = {each.__name__ for each in Leaf.__subclasses__() if each.__module__.startswith("phosphene.")}
    hidden = {"Word", "Function"}  # what only a net decides, and the base of those with arguments
    assert public <= set(phosphene.__all__) | hidden
    assert {functions()[name].__name__ for name in functions()} <= set(phosphene.__all__)


def test_docs_name_every_canvas() -> None:
    text = documented()
    for path in (PACKAGE / "canvas").glob("*.py"):
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and node.name.endswith("Canvas") and node.name != "Canvas":
                assert node.name in text, node.name


def test_recipes_offer_every_gradient_shaping() -> None:
    from phosphene.gradients.shaping import shapings
    from phosphene.recipe import DreamRecipe
    from phosphene.recipe.settings import choices

    assert set(choices(DreamRecipe.model_fields["shaping"])) == set(shapings)


def test_docs_name_every_setting_and_preset() -> None:
    from phosphene.kinds import KINDS
    from phosphene.recipe.presets import PRESETS

    text = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
    for kind in KINDS.values():
        for name in kind.recipe.model_fields:
            assert f"`{name}`" in text, name
    for name in [name for known in PRESETS.values() for name in known]:
        assert f"`{name}`" in text, name


def test_docs_draw_the_flow() -> None:
    flow = (ROOT / "docs" / "flow.md").read_text(encoding="utf-8")
    for name in sorted(STAGES) + sorted(CONTRACTS):
        assert name in flow, name

"""House rules of CONTRIBUTING.md that a program can judge and no other tool does."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PRODUCT = ("node", "resolver", "sync", "admin")
PACKAGES = (*PRODUCT, "loadtest", "migrations")
NAMES_THAT_SAY_NOTHING = {
    "util", "utils", "helper", "helpers", "common", "base", "manager", "core", "misc",
}  # fmt: skip
TEST_DIRECTORIES = {
    "conformance", "contract", "crash", "docs", "processes", "unit", "upgrade", "vectors", "wire",
}  # fmt: skip
LONGEST_MODULE_LINES = 400


def modules_of(*packages: str) -> list[Path]:
    """List the hand-written Python files of packages, as paths relative to the checkout."""
    found = [path for package in packages for path in (CHECKOUT / package).rglob("*.py")]
    return sorted(
        path.relative_to(CHECKOUT)
        for path in found
        if not path.match("sync/proto/idlink/*/*_pb2*.py")
    )


def test_module_names_say_what_the_module_knows() -> None:
    named = {path for path in modules_of(*PACKAGES, "tests") if path.stem in NAMES_THAT_SAY_NOTHING}
    packages = {path for path in modules_of(*PACKAGES) if {*path.parts} & NAMES_THAT_SAY_NOTHING}
    assert named | packages == set()


def test_product_modules_are_at_most_400_lines_long() -> None:
    lengths = {
        str(path): len((CHECKOUT / path).read_text("utf-8").splitlines())
        for path in modules_of(*PRODUCT)
    }
    assert {path: n for path, n in lengths.items() if n > LONGEST_MODULE_LINES} == {}


def test_modules_and_packages_say_what_they_are_for() -> None:
    silent = [
        str(path)
        for path in modules_of(*PACKAGES, "tests")
        if not ast.get_docstring(ast.parse((CHECKOUT / path).read_text("utf-8")))
    ]
    assert silent == []


@pytest.mark.parametrize("package", ["node", "resolver", "sync", "admin", "loadtest"])
def test_directories_of_code_are_packages(package: str) -> None:
    directories = {path.parent for path in modules_of(package)}
    without = {str(d) for d in directories if not (CHECKOUT / d / "__init__.py").exists()}
    assert without == set()


def test_tests_stand_in_known_directories() -> None:
    directories = {path.name for path in (CHECKOUT / "tests").iterdir() if path.is_dir()}
    assert directories - {"__pycache__"} <= TEST_DIRECTORIES


def test_changelog_has_an_entry_for_the_version() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    changelog = (CHECKOUT / "CHANGELOG.md").read_text("utf-8")
    assert f"## {project['version']}" in changelog

"""What `make test` runs in reduced size, `make chaos` runs in full: each such test is marked, so that it is found."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from studio.paths import ROOT


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def has_two_sizes(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.ImportFrom)
        and node.module == "tests.support.size"
        and "FULL" in {name.name for name in node.names}
    )


SIZED = [file for file in sorted((ROOT / "tests").rglob("test_*.py")) if any(map(has_two_sizes, parsed(file).body))]


@pytest.mark.parametrize("file", SIZED, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_test_of_two_sizes_is_marked(file: Path) -> None:
    attributes = (node for node in ast.walk(parsed(file)) if isinstance(node, ast.Attribute))
    assert "pytest.mark.chaos" in map(ast.unparse, attributes), "make chaos does not run it"


def test_there_are_tests_of_two_sizes() -> None:
    assert len(SIZED) > 5

"""The build and the tests that a project itself declares, by plain rules on the files in its uppermost folder.

- A Makefile with a target `build` or `test`: `make build`, `make test`. It speaks for the whole project.
- package.json with a script `build` or `test`: that, by the package manager whose lock file is there, else npm. The
  script that `npm init` writes ("no test specified") declares nothing.
- pytest, where pytest.ini, conftest.py, or a section for it in pyproject.toml, setup.cfg or tox.ini is there, or the
  requirements name it: `python3 -m pytest`.
- Otherwise `python3 -m unittest discover`, where a test*.py there or in `tests` or `test` uses unittest.

What else a project may want to be built with is not guessed. Files are only read here; `studio.code.declared_run` runs
what they say. An agent wrote them, and reading them holds the whole process up: each is read in a time that grows with
its length alone, and what was made to keep a reader busy declares nothing.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from studio.code.workspace import WorkspaceFile

Name = Literal["build", "test"]
NAMES: tuple[Name, ...] = ("build", "test")
# No list of dependencies is longer.
MAX_BYTES = 1024**2
# Reading TOML takes time with the cube of a key's parts, and some with the square of the lines; no key has so many.
MAX_TOML_BYTES = 64 * 1024
MAX_LINE_DOTS = 20
# The longest that npm allows, and more of them than anybody has.
NAME_CHARS = 214
MAX_NAMES = 1_000

_MANAGERS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("pnpm-lock.yaml", "pnpm", ("pnpm", "install", "--frozen-lockfile")),
    ("yarn.lock", "yarn", ("yarn", "install", "--frozen-lockfile")),
    ("package-lock.json", "npm", ("npm", "ci", "--no-audit", "--no-fund")),
    ("", "npm", ("npm", "install", "--no-audit", "--no-fund")),
)
_NO_TEST = re.compile(r"no test specified", re.IGNORECASE)
_PYTEST = re.compile(r"^pytest\b", re.IGNORECASE)
_NAME_END = re.compile(r"[\s\[<>=!~;@]")
_VENV = ".venv/bin/python"
# TOML's texts and comments, as its grammar reads them from left to right. Each alternative takes what it has begun
# with, closed or not, and never goes back.
_TOML_TEXT = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+(?:"{3,5}|\\?\Z)'
    r"|'''(?:[^']++|'(?!''))*+(?:'{3,5}|\Z)"
    r'|"(?:[^"\\\n]++|\\.)*+"?'
    r"|'[^'\n]*+'?"
    r"|#[^\n]*+",
    re.DOTALL,
)


@dataclass(frozen=True)
class DeclaredCheck:
    """One of them. `set_up` are the commands to run before, where there is a network to install from.

    `absent` names what of the project's dependencies will not be there: nothing where none is needed, or they can be.
    """

    name: str
    argv: tuple[str, ...]
    set_up: tuple[tuple[str, ...], ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command as a person would type it."""
        return " ".join(self.argv)


def declared(files: Iterable[WorkspaceFile], *, network: bool = False) -> list[DeclaredCheck]:
    """Return what the project of `files` declares, builds first; nothing where it declares nothing.

    `network` says whether the sandbox may reach a package registry.
    """
    project = _Project({file.path: file for file in files if file.link is None})
    found: list[DeclaredCheck] = []
    for name in NAMES:
        if name in project.targets:
            found.append(DeclaredCheck(name, ("make", name), project.node_set_up(network), project.absent(network)))
            continue
        found += project.node_checks(name, network)
        if name == "test":
            found += project.python_checks(network)
    return found


class _Project:
    """What the files in the uppermost folder say."""

    def __init__(self, files: Mapping[str, WorkspaceFile]) -> None:
        self._files = files
        self.targets = _targets(next(filter(None, map(self._text, ("GNUmakefile", "makefile", "Makefile"))), ""))
        self._package = _json(self._text("package.json"))
        self._pyproject = _toml(self._text("pyproject.toml"))
        _, self._manager, self._install = next(m for m in _MANAGERS if not m[0] or m[0] in files)
        self._node = [*_table(self._package, "dependencies"), *_table(self._package, "devDependencies")]
        project = _table(self._pyproject, "project")
        self._python = [*self._requirements(), *_list(project, "dependencies")]
        groups = {**_table(project, "optional-dependencies"), **_table(self._pyproject, "dependency-groups")}
        self._grouped = [name for key in groups for name in _list(groups, key)]

    def absent(self, network: bool) -> tuple[str, ...]:
        """Return which dependencies of any kind will be missing."""
        return _absent([*self._node, *self._python, *self._grouped], network)

    def node_set_up(self, network: bool) -> tuple[tuple[str, ...], ...]:
        return (self._install,) if network and self._node else ()

    def node_checks(self, name: Name, network: bool) -> list[DeclaredCheck]:
        script = _table(self._package, "scripts").get(name)
        if not isinstance(script, str) or not script.strip() or (name == "test" and _NO_TEST.search(script)):
            return []
        argv = (self._manager, "run", name)
        return [DeclaredCheck(name, argv, self.node_set_up(network), _absent(self._node, network))]

    def python_checks(self, network: bool) -> list[DeclaredCheck]:
        arguments = ("-m", "pytest") if self._uses_pytest() else self._unittest()
        if arguments is None:
            return []
        install: tuple[str, ...] = ()
        if self._python:
            what = ("-r", "requirements.txt") if self._text("requirements.txt") else ("-e", ".")
            install = (_VENV, "-m", "pip", "install", "--quiet", *what)
        set_up = (("python3", "-m", "venv", ".venv"), install) if network and install else ()
        python = _VENV if set_up else "python3"
        name = "test (Python)" if self.node_checks("test", network) else "test"
        return [DeclaredCheck(name, (python, *arguments), set_up, _absent([*self._python, *self._grouped], network))]

    def _uses_pytest(self) -> bool:
        if any(path in self._files for path in ("pytest.ini", "conftest.py", "tests/conftest.py", "test/conftest.py")):
            return True
        if "pytest" in _table(self._pyproject, "tool"):
            return True
        if "tool:pytest" in _sections(self._text("setup.cfg")) or "pytest" in _sections(self._text("tox.ini")):
            return True
        return any(_PYTEST.match(item) for item in (*self._python, *self._grouped))

    def _unittest(self) -> tuple[str, ...] | None:
        discover = ("-m", "unittest", "discover")
        for folder in ("tests", "test"):
            if self._tests_under(f"{folder}/"):
                package = f"{folder}/__init__.py" in self._files
                return (*discover, "-s", folder, *(("-t", ".") if package else ()))
        return discover if self._tests_under("", deep=False) else None

    def _tests_under(self, start: str, *, deep: bool = True) -> bool:
        for path, file in self._files.items():
            rest = path.removeprefix(start)
            name = rest.rpartition("/")[2]
            inside = path.startswith(start) and (deep or "/" not in rest)
            if inside and name.startswith("test") and name.endswith(".py") and b"unittest" in file.content:
                return True
        return False

    def _requirements(self) -> list[str]:
        names = ("requirements.txt", "requirements-dev.txt", "dev-requirements.txt")
        lines = [line.strip() for name in names for line in self._text(name).splitlines()]
        return [line for line in lines if line and not line.startswith(("#", "-"))]

    def _text(self, path: str) -> str:
        file = self._files.get(path)
        return "" if file is None or len(file.content) > MAX_BYTES else file.content.decode("utf-8", errors="replace")


def _absent(dependencies: list[str], network: bool) -> tuple[str, ...]:
    if network:
        return ()
    short = (name.strip()[:NAME_CHARS] for name in dependencies[:MAX_NAMES])
    # A scope of npm begins with a sign that ends a name of Python's.
    names = (name[:1] + _NAME_END.split(name[1:], maxsplit=1)[0] for name in short)
    return tuple(dict.fromkeys(filter(None, names)))


def _targets(makefile: str) -> set[str]:
    """Return which of the two targets a Makefile has."""
    found: set[str] = set()
    for line in makefile.splitlines():
        names, colon, rest = line.partition(":")
        # `name := value` and `name ::= value` are no targets.
        if colon and not line.startswith(("\t", "#", " ")) and not rest.lstrip(":").startswith("="):
            found |= set(names.split()) & set(NAMES)
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _toml(text: str) -> Any:
    if len(text) > MAX_TOML_BYTES:
        return None
    # Only the dots between texts part keys.
    if any(line.count(".") > MAX_LINE_DOTS for line in _TOML_TEXT.sub("", text).split("\n")):
        return None
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def _sections(text: str) -> set[str]:
    # The library's own reader takes time with the square of a line's length, and more.
    return {line[1 : line.rfind("]")] for line in text.splitlines() if line.startswith("[") and "]" in line}


def _table(value: Any, key: str) -> Mapping[str, Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _list(value: Mapping[str, Any], key: str) -> list[str]:
    found = value.get(key)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []

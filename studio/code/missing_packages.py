"""Which of a project's declared packages a failed command missed, by what Python, Node.js and their tools say then.

One that the project needs and forgot to declare is its own mistake, and not told here; nor is a package that its output
does not name.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator

# A person reads them in a sentence.
SHOWN = 5
# No name has more of them.
_WORDS = 5
# Needed to run tests at all, so that many projects do not declare it. A test may speak of it; only Python itself, and
# the end of a traceback, say that it is not there.
_RUNNER = "pytest"
_NO_RUNNER = re.compile(rf"(?m)^(?:\S{{0,200}}/)?python[\w.]{{0,20}}: No module named {_RUNNER}\b")
_NO_DECLARED_RUNNER = re.compile(rf"(?m)^ModuleNotFoundError: No module named '{_RUNNER}\b")
# Packages of Python that bring a module by quite another name.
_MODULES = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencvpython",
    "crypto": "pycryptodome",
    "fitz": "pymupdf",
    "git": "gitpython",
    "mysqldb": "mysqlclient",
    "pil": "pillow",
    "pkgresources": "setuptools",
    "skimage": "scikitimage",
    "sklearn": "scikitlearn",
}

_PYTHON = re.compile(
    r"No module named '?(?P<module>[A-Za-z0-9_]{1,80})"
    r"|No package metadata was found for (?P<package>[A-Za-z0-9_.-]{1,80})"
)
_NODE = re.compile(
    r"(?:Cannot find (?:module|package)|Can't resolve|Could not resolve|Failed to resolve import) "
    r"[\"'](?P<import>[^\"'\s]{1,400})[\"']"
    r"|^(?:/bin/)?(?:ba|da)?sh: (?:(?:line )?\d{1,6}: )?(?P<program>[\w.-]{1,80}): (?:command )?not found$"
    r"|request to https?://[^\s/]{1,200}/(?P<fetched>[\w@%./-]{1,200}) failed",
    re.MULTILINE,
)


def missing(output: str, declared: Collection[str], modules: Collection[str] = ()) -> list[str]:
    """Return which packages of `declared` are not there by the words of `output`, a few at most, in order.

    `modules` are the tree's own Python modules, which no package brings. A missing test runner counts undeclared.
    """
    found = {name for name in _python(output, modules) if name != _RUNNER and _declares(declared, name)}
    if _NO_RUNNER.search(output) or (_declares(declared, _RUNNER) and _NO_DECLARED_RUNNER.search(output)):
        found.add(_RUNNER)
    found |= {name for name in _node(output) if name in declared}
    return sorted(found)[:SHOWN]


def _python(output: str, modules: Collection[str]) -> Iterator[str]:
    for told in _PYTHON.finditer(output):
        name = told["module"] or told["package"]
        if told["package"] or (name not in modules and name not in sys.stdlib_module_names):
            yield name


def _declares(declared: Collection[str], module: str) -> bool:
    """Say whether one of the packages is, by its name, the one that brings a module.

    PyYAML brings yaml, python-dateutil brings dateutil, google-cloud-storage brings google.
    """
    wanted = "".join(_words(module))
    wanted = _MODULES.get(wanted, wanted)
    return any(wanted in _brings(_words(name)) for name in declared)


def _brings(words: list[str]) -> set[str]:
    starts = range(len(words[:_WORDS]))
    runs = {"".join(words[start:end]) for start in starts for end in range(start + 1, len(words[:_WORDS]) + 1)}
    return {"".join(words), *runs, *(run.removeprefix("py") for run in runs)}


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[-_.]", name.lower()) if word]


def _node(output: str) -> Iterator[str]:
    for told in _NODE.finditer(output):
        name = (told["import"] or told["program"] or told["fetched"]).replace("%2f", "/")
        # A file of a package is asked for by where it would lie.
        parts = name.rpartition("node_modules/")[2].split("/")
        yield "/".join(parts[:2]) if name.startswith("@") or parts[0].startswith("@") else parts[0]

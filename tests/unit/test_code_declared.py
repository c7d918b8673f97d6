"""What a project declares to build and test is found by plain rules, run, and called what it was."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from studio.code.declared import DeclaredCheck, declared
from studio.code.declared_run import OUTPUT_CHARS, CheckResult, python_modules, run
from studio.code.missing_packages import missing
from studio.code.workspace import WorkspaceFile
from studio.errors import SandboxBroken


def commands(files: dict[str, str], *, network: bool = False) -> list[tuple[str, str]]:
    found = declared((WorkspaceFile(path, text.encode()) for path, text in files.items()), network=network)
    return [(check.name, check.command) for check in found]


UNITTEST = "import unittest\n"
SCRIPTS = '{"scripts": {"build": "tsc", "test": "node --test"}}'


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, []),
        ({"README.md": "make test"}, []),
        ({"Makefile": "build: x\n\tgo build\ntest:\n\tgo test\n"}, [("build", "make build"), ("test", "make test")]),
        ({"Makefile": "all test check: x\n"}, [("test", "make test")]),
        ({"Makefile": "test := 1\nbuild ::= 2\n\ttest: x\n# build: y\n"}, []),
        ({"package.json": SCRIPTS}, [("build", "npm run build"), ("test", "npm run test")]),
        ({"package.json": SCRIPTS, "yarn.lock": ""}, [("build", "yarn run build"), ("test", "yarn run test")]),
        ({"package.json": SCRIPTS, "pnpm-lock.yaml": ""}, [("build", "pnpm run build"), ("test", "pnpm run test")]),
        ({"package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}'}, []),
        ({"package.json": '{"scripts": {"test": 1}, "x": ['}, []),
        ({"package.json": "[]"}, []),
        ({"web/package.json": SCRIPTS}, []),
        ({"pytest.ini": ""}, [("test", "python3 -m pytest")]),
        ({"pyproject.toml": "[tool.pytest.ini_options]\n"}, [("test", "python3 -m pytest")]),
        ({"pyproject.toml": '[dependency-groups]\ndev = ["pytest>=8"]\n'}, [("test", "python3 -m pytest")]),
        ({"pyproject.toml": '[project]\ndependencies = ["pytest-is-not-it"]\n[tool'}, []),
        ({"setup.cfg": "[tool:pytest]\n"}, [("test", "python3 -m pytest")]),
        ({"tox.ini": "[pytest]\n"}, [("test", "python3 -m pytest")]),
        ({"requirements-dev.txt": "# x\npytest==8\n"}, [("test", "python3 -m pytest")]),
        ({"tests/test_a.py": UNITTEST}, [("test", "python3 -m unittest discover -s tests")]),
        (
            {"tests/test_a.py": UNITTEST, "tests/__init__.py": ""},
            [("test", "python3 -m unittest discover -s tests -t .")],
        ),
        ({"test_a.py": UNITTEST}, [("test", "python3 -m unittest discover")]),
        ({"tests/test_a.py": "def test(): ...", "src/test_b.py": UNITTEST}, []),
        (
            {"package.json": SCRIPTS, "conftest.py": ""},
            [("build", "npm run build"), ("test", "npm run test"), ("test (Python)", "python3 -m pytest")],
        ),
        (
            {"package.json": SCRIPTS, "conftest.py": "", "Makefile": "test:\n"},
            [("build", "npm run build"), ("test", "make test")],
        ),
    ],
)
def test_the_rules(files: dict[str, str], found: list[tuple[str, str]]) -> None:
    assert commands(files) == found


def test_what_has_to_be_installed_before() -> None:
    files = [
        WorkspaceFile("package.json", b'{"scripts": {"test": "x"}, "dependencies": {"react": "1"}}'),
        WorkspaceFile("package-lock.json", b"{}"),
        WorkspaceFile("conftest.py"),
        WorkspaceFile("requirements.txt", b"flask>=3\n"),
    ]
    node, python = declared(files, network=True)
    assert (node.set_up, node.absent) == ((("npm", "ci", "--no-audit", "--no-fund"),), ())
    assert python.set_up[-1] == (".venv/bin/python", "-m", "pip", "install", "--quiet", "-r", "requirements.txt")
    assert python.argv == (".venv/bin/python", "-m", "pytest")
    node, python = declared(files)
    assert (node.set_up, node.absent, python.set_up, python.absent) == ((), ("react",), (), ("flask",))


# Each took minutes to hours to read, and nothing else in the process ran meanwhile.
HOSTILE = {
    "setup.cfg": "[a]\nx" + " " * 500_000 + "y\n",
    "tox.ini": "[" * 500_000 + "\n" + "]" * 500_000,
    "pyproject.toml": "a." * 500_000 + "a=1\n[tool.pytest]\n",
    "package.json": "[" * 1_000_000,
    "Makefile": "build " * 150_000,
}
KEY = "b." * 16_000 + "b=1\n[tool.pytest]\n"


@pytest.mark.parametrize("path", HOSTILE)
def test_a_file_that_was_made_to_keep_a_reader_busy_declares_nothing(path: str) -> None:
    begun = time.process_time()
    assert commands({path: HOSTILE[path]}) == []
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    "before",
    [
        "",
        "a = '''\"'''\n",
        'a = """\'"""\n',
        "a = 1 # '''\n",
        'a = "\\\\"\n',
        'a = """\\""""""\n',
        "a = ''''x'''''\n",
        "x='#'\n",
    ],
)
def test_a_key_of_many_parts_is_found_behind_any_text(before: str) -> None:
    begun = time.process_time()
    assert commands({"pyproject.toml": before + KEY}) == []
    assert commands({"pyproject.toml": before + KEY.replace("b.", '"b". ', 1)}) == []
    assert time.process_time() - begun < 5
    # It is the parts and nothing else for which they are not read.
    few = before + "b.b.b = 1\n[tool.pytest]\n"
    assert commands({"pyproject.toml": few}) == [("test", "python3 -m pytest")]


def test_dots_in_texts_part_nothing() -> None:
    dots = f'[tool.pytest]\nd = "{"1." * 100}" # {"." * 100}\nm = """\n{"." * 100}"""\nl = {["a>=1.2.3"] * 30}\n'
    assert commands({"pyproject.toml": dots}) == [("test", "python3 -m pytest")]


@dataclass
class Ended:
    exit_code: int | None
    output: str
    seconds: float
    timed_out: bool


class Folder:
    """A folder in which commands really run, with nothing to hold them back: what a sandbox is to the rules."""

    def __init__(self, folder: Path, files: dict[str, str]) -> None:
        self.folder = folder / "tree"
        self.programs = folder / "programs"
        self.programs.mkdir(parents=True)
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
        # So that it does not matter what else is installed on this machine.
        for program in ("sh", "make", "yes", "head", "sleep", "true"):
            (self.programs / program).symlink_to(shutil.which(program) or f"/bin/{program}")
        python = self.programs / "python3"
        python.write_text(f'#!/bin/sh\nexec {Path(sys.executable).resolve()} -S "$@"\n')
        python.chmod(0o755)
        self.folder.mkdir(exist_ok=True)

    def run(self, argv: Sequence[str], *, seconds: float) -> Ended:
        begun = time.monotonic()
        environment = {"PATH": str(self.programs), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                list(argv), cwd=self.folder, env=environment, timeout=seconds, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as exc:
            return Ended(None, (exc.output or b"").decode(), time.monotonic() - begun, True)
        code = done.returncode if done.returncode >= 0 else None
        return Ended(code, done.stdout.decode(errors="replace"), time.monotonic() - begun, False)


def checked(folder: Path, files: dict[str, str], *, seconds: float = 30) -> list[CheckResult]:
    checks = declared([WorkspaceFile(path, text.encode()) for path, text in files.items()])
    sandbox = Folder(folder, files)
    return [run(check, sandbox, seconds=seconds, modules=python_modules(files)) for check in checks]


def test_case(body: str) -> str:
    return f"import unittest\nimport shop\n\nclass Shop(unittest.TestCase):\n    def test(self):\n        {body}\n"


test_case.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("files", "outcome", "says"),
    [
        ({"tests/test_shop.py": test_case("self.assertEqual(shop.ONE, 1)"), "shop.py": "ONE = 1"}, "passed", "OK"),
        ({"tests/test_shop.py": test_case("self.assertEqual(shop.ONE, 2)"), "shop.py": "ONE = 1"}, "failed", "1 != 2"),
        ({"tests/test_shop.py": test_case("pass")}, "failed", "No module named 'shop'"),
        ({"tests/test_shop.py": test_case("pass"), "shop.py": "import shop.gone"}, "failed", "shop"),
        (
            {"tests/test_shop.py": test_case("pass"), "shop.py": "import flask9", "requirements.txt": "Flask9\n"},
            "could not run",
            "What it needs is not installed: flask9.",
        ),
        ({"tests/test_shop.py": "import unittest\n"}, "could not run", "There are no tests."),
        ({"pytest.ini": "", "test_a.py": "def test(): ..."}, "could not run", "is not installed: pytest."),
        ({"Makefile": "test:\n\t@echo \x1b[31mred\x1b[0m\n"}, "passed", "red"),
        ({"Makefile": "test:\n\t@exit 3\n"}, "failed", "It ended with 2."),
        ({"Makefile": "test:\n\tno-such-program\n"}, "could not run", "It calls a program that is not here."),
        ({"Makefile": "test:\n\t@sh -c 'no-such-program --version'\n"}, "could not run", "a program that is not here."),
        ({"Makefile": "test:\n\t@echo 'error: /users/42: not found'; exit 1\n"}, "failed", "It ended with 2."),
        ({"Makefile": "test:\n\t@echo 'warn: git: not found'; echo '1 != 2'; exit 1\n"}, "failed", "1 != 2"),
        ({"Makefile": "test:\n\t@echo 'sh: 1: git: not found'; exit 1\n"}, "failed", "It ended with 2."),
        ({"Makefile": "test:\n\t@echo 'make told: Error 127'; exit 1\n"}, "failed", "It ended with 2."),
        ({"Makefile": "test:\n\t@echo 'Ran 12 tests in 1s'; echo OK; echo 'Ran 0 tests in 0s'\n"}, "passed", "OK"),
        (
            {"Makefile": "test:\n\t@echo 'Ran 1 test in 1s'; yes x | head -n 9000; echo 'Ran 0 tests in 0s'\n"},
            "passed",
            "Ran 0",
        ),
        ({"Makefile": "test:\n\t@echo 'Ran 0 tests in 0s'; echo 'Ran 0 tests in 0s'\n"}, "could not run", "no tests"),
        (
            {
                "tests/test_shop.py": test_case("self.assertEqual(shop.ONE, 2)"),
                "shop.py": "ONE = 1",
                "requirements.txt": "Flask9\n",
            },
            "failed",
            "1 != 2",
        ),
        (
            {"Makefile": "test:\n\t@$(MAKE) unit\nunit:\n\t@no-such-program\n"},
            "could not run",
            "a program that is not here.",
        ),
        (
            {"Makefile": "test:\n\t@$(MAKE) lint || true\n\t@echo '1 != 2'; exit 2\nlint:\n\t@no-such-program\n"},
            "failed",
            "It ended with 2.",
        ),
        (
            {"Makefile": "test:\n\t@-$(MAKE) lint\n\t@$(MAKE) unit\nlint:\n\t@no-such\nunit:\n\t@exit 2\n"},
            "failed",
            "It ended with 2.",
        ),
        (
            {
                "tests/test_a.py": "import flask9\n",
                "tests/test_shop.py": test_case("self.assertEqual(shop.ONE, 2)"),
                "shop.py": "ONE = 1",
                "requirements.txt": "Flask9\n",
            },
            "failed",
            "No module named 'flask9'",
        ),
        ({"Makefile": "test:\n\t@sh -c 'kill -9 $$PPID'\n"}, "failed", "It was ended before its time"),
        ({"package.json": SCRIPTS, "bun": ""}, "could not run", "There is no npm here."),
    ],
)
def test_what_really_happened(tmp_path: Path, files: dict[str, str], outcome: str, says: str) -> None:
    result = checked(tmp_path, files)[-1]
    told = result.as_json()
    assert (result.outcome, says in told["output"]) == (outcome, True), told
    assert "\x1b" not in told["output"]
    assert sorted(told) == ["command", "exit_code", "name", "outcome", "output", "seconds"]


def test_what_does_not_end(tmp_path: Path) -> None:
    [result] = checked(tmp_path, {"Makefile": "test:\n\t@echo begun; exec sleep 20\n"}, seconds=0.5)
    assert (result.outcome, result.reason) == ("failed", "It did not end within 0.5 seconds.")


def test_what_fails_for_want_of_a_package_has_not_failed(tmp_path: Path) -> None:
    package = '{"scripts": {"test": "x"}, "devDependencies": {"vitest": "1"}}'
    says = "test:\n\t@echo \"Error: Cannot find module '{}'\"; exit 1\n"
    for name, outcome in (("vitest", "could not run"), ("vitest/config", "could not run"), ("left-pad", "failed")):
        [result] = checked(tmp_path / name, {"Makefile": says.format(name), "package.json": package})
        assert (result.outcome, "vitest" in result.reason) == (outcome, outcome != "failed")
    [result] = checked(tmp_path / "fails", {"Makefile": "test:\n\t@exit 1\n", "package.json": package})
    assert result.outcome == "failed"
    [result] = checked(tmp_path / "passes", {"Makefile": "test:\n\t@true\n", "package.json": package})
    assert result.outcome == "passed"


@pytest.mark.parametrize(
    "summary",
    [
        "2 failed, 1 error in 0.12s",
        "=========== 1 failed, 3 passed, 1 warning in 2.50s ===========",
        "FAILED tests/test_a.py::test_it - assert 1 == 2",
        "FAILED (failures=1, errors=1)",
        "Tests:       1 failed, 2 passed, 3 total",
        "      Tests  1 failed | 2 passed (3)",
        "  2 failing",
        "5 specs, 1 failure",
        "  1 failed",
        "AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:",
    ],
)
def test_tests_that_were_run_and_failed_have_failed_whatever_else_is_missing(tmp_path: Path, summary: str) -> None:
    says = f"test:\n\t@echo \"ModuleNotFoundError: No module named 'flask'\"; echo '{summary}'; exit {{}}\n"
    for code in (1, 127):
        folder = tmp_path / str(code)
        [result] = checked(folder, {"Makefile": says.format(code), "requirements.txt": "flask\n"})
        assert (result.outcome, result.reason) == ("failed", "It ended with 2.")


@pytest.mark.parametrize("summary", ["FAILED (errors=1)", "1 error in 0.12s", "Tests:       0 total", "# fail 1"])
def test_tests_that_could_not_be_loaded_have_not_failed(tmp_path: Path, summary: str) -> None:
    says = f"test:\n\t@echo \"ModuleNotFoundError: No module named 'flask'\"; echo '{summary}'; exit 1\n"
    [result] = checked(tmp_path, {"Makefile": says, "requirements.txt": "flask\n"})
    assert result.outcome == "could not run"


@pytest.mark.parametrize(
    ("output", "declared", "found"),
    [
        ("ModuleNotFoundError: No module named 'yaml'", ["PyYAML"], ["yaml"]),
        ("ModuleNotFoundError: No module named 'google.cloud'", ["google-cloud-storage"], ["google"]),
        ("/usr/bin/python3: No module named pytest", [], ["pytest"]),
        ("ModuleNotFoundError: No module named 'pytest'", ["pytest"], ["pytest"]),
        ("ModuleNotFoundError: No module named 'pytest'", [], []),
        ("E   AssertionError: assert 'No module named pytest' in ''", ["pytest"], []),
        ("E   AssertionError: python3: No module named pytest", [], []),
        ("ModuleNotFoundError: No module named 'sklearn'", ["scikit-learn"], ["sklearn"]),
        ("ModuleNotFoundError: No module named 'shop'", ["shopify"], []),
        ("ModuleNotFoundError: No module named 'own'", ["own"], []),
        ("PackageNotFoundError: No package metadata was found for flask", ["flask"], ["flask"]),
        ("Error: Cannot find package '@vue/x' imported from /a", ["@vue/x"], ["@vue/x"]),
        ("Error: Cannot find module '/w/node_modules/jest/bin/jest.js'", ["jest"], ["jest"]),
        ("error TS2307: Cannot find module 'react/jsx' or its", ["react"], ["react"]),
        ("Error: Cannot find module './mine'", ["react"], []),
        ("sh: 1: vitest: not found", ["vitest"], ["vitest"]),
        ("error: vitest: not found", ["vitest"], []),
        ("npm error request to https://127.0.0.1/@vue%2fx failed, reason", ["@vue/x"], ["@vue/x"]),
    ],
)
def test_which_declared_package_an_output_misses(output: str, declared: list[str], found: list[str]) -> None:
    assert missing(output, declared, {"own"}) == found


def test_what_could_not_be_installed(tmp_path: Path) -> None:
    check = DeclaredCheck("test", ("true",), set_up=(("sh", "-c", "echo no network; exit 1"),))
    result = run(check, Folder(tmp_path, {}), seconds=10)
    assert (result.outcome, result.output) == ("could not run", "no network")
    assert "could not be installed" in result.reason


def test_an_output_is_cleaned_before_it_is_cut(tmp_path: Path) -> None:
    secret = "s3cr3t-value"
    # The secret lies where the shown end begins, and colours stand in it.
    rest = "x" * (OUTPUT_CHARS - 5)
    command = f"printf 's3cr\\033[31m3t-value%s' {rest}; exit 1"
    check = DeclaredCheck("test", ("sh", "-c", command))
    result = run(check, Folder(tmp_path, {}), seconds=10, clean=lambda text: text.replace(secret, "•••"))
    assert result.output == "•••" + rest


def test_a_long_output_keeps_its_end_and_a_broken_sandbox_is_no_failure(tmp_path: Path) -> None:
    [result] = checked(tmp_path, {"Makefile": "test:\n\t@yes line | head -n 20000; echo the end; exit 1\n"})
    assert "the end" in result.output
    assert len(result.output) < 8_100

    class Broken:
        def run(self, argv: Sequence[str], *, seconds: float) -> Ended:
            raise SandboxBroken("It is gone.")

    result = run(DeclaredCheck("test", ("make", "test")), Broken(), seconds=1)
    assert (result.outcome, result.reason) == ("could not run", "The sandbox ended. It is gone.")

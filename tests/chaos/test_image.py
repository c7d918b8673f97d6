"""The image is what its Dockerfile says, and in it the studio runs without rights: no root, nothing written but data.

In full size the Dockerfile is carried out from its own text (`scripts/replay_image.py`, on Debian's packages and the
real ones of Python), a stack lives in the result as Compose would have it, is killed, comes back, and stops in order.
Reduced, what the image would hold of the program runs by itself, with the packages that are here.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from studio.paths import ROOT
from tests.support.size import FULL, SECONDS
from tests.support.waiting import eventually

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(SECONDS)]

sys.path.insert(0, str(ROOT / "scripts"))
import dockerfile  # noqa: E402 - scripts are no package

SCRIPT = [sys.executable, str(ROOT / "scripts" / "replay_image.py")]
START_SECONDS = 300.0
# A day of 2024 that the image is built "on", whatever today is.
BUILT_ON = 20_000
_IMPORTED = """
import greenlight_dagster.definitions, greenlight_dagster.daemon, greenlight_dagster.launcher.template
import studio.sandbox, studio.paths, web.app, web.public.app
from greenlight_dagster.cli.main import main
print(studio.paths.ROOT, len(list(studio.paths.MIGRATIONS.glob("*.sql"))))
sys.exit(main())
"""
replayed = pytest.mark.skipif(
    not FULL or os.geteuid() != 0 or shutil.which("mmdebstrap") is None,
    reason="carries the Dockerfile out: with GREENLIGHT_CHAOS=full, as root, with mmdebstrap",
)


def test_what_the_image_holds_runs_by_itself(tmp_path: Path) -> None:
    for file in dockerfile.context_files(ROOT):
        target = tmp_path / "app" / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, target)
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", f"import sys; sys.argv = ['greenlight', '--help']\n{_IMPORTED}"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(tmp_path / "app")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    migrations = len(list((ROOT / "supabase" / "migrations").glob("*.sql")))
    assert done.stdout.startswith(f"{tmp_path / 'app'} {migrations}\n")
    assert "reviewed work comes out" in done.stdout


class Container:
    """The image's container, with a volume of its own that outlives it."""

    def __init__(self, image: Path, data: Path) -> None:
        self._image = image
        self._data = data
        self._log = data.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*SCRIPT, "run", str(self._image), "--read-only", "--data", str(self._data)],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

        def well() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, self.output()
            return self.asked("health").returncode == 0

        eventually(well, START_SECONDS, "a container that is well")

    def asked(self, action: str, *command: str) -> subprocess.CompletedProcess[str]:
        words = [*SCRIPT, action, str(self._image), *(["--", *command] if command else [])]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    def signal(self, number: int) -> None:
        """Send a signal to the first process in there, as an engine does, and wait for the container's end."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        os.kill(int(children[0]), number)
        self._process.wait(120)

    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(OSError, IndexError):
                self.signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("image")
    try:
        when = f"SOURCE_DATE_EPOCH={BUILT_ON * 24 * 3600}"
        subprocess.run([*SCRIPT, "build", "--build-arg", when, str(folder / "built")], check=True)
        yield folder / "built"
    finally:
        shutil.rmtree(folder / "built", ignore_errors=True)


@replayed
def test_an_image_does_not_tell_on_which_day_it_was_built(image: Path) -> None:
    accounts = dict(line.split(":", 1) for line in (image / "root" / "etc" / "shadow").read_text().splitlines())
    assert accounts["greenlight"].split(":")[1] == str(BUILT_ON)


@replayed
def test_volumes_belong_to_who_writes_to_them(image: Path) -> None:
    """An engine gives a new volume the owner of the folder of the image that it is mounted on."""
    places = {
        mount.rpartition(":")[2]
        for file in ("compose.yaml", "compose.fleet.yaml", "compose.worker.yaml")
        for name, told in yaml.safe_load((ROOT / "deploy" / file).read_text())["services"].items()
        if name in ("greenlight", "worker")
        for mount in told["volumes"]
    }
    assert places == {"/data", "/data/artifacts"}
    for place in places:
        found = (image / "root" / place.lstrip("/")).stat()
        assert (found.st_uid, found.st_gid) == (10001, 10001), place


@replayed
def test_a_stack_lives_in_the_image_and_outlives_its_container(image: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    container = Container(image, data)
    try:
        container.start()
        found = {
            one["what"]: one for one in json.loads(container.asked("exec", "greenlight", "doctor", "--json").stdout)
        }
        assert [one for one in found.values() if one["state"] == "problem"] == []
        assert found["sandbox"]["detail"].startswith("bubblewrap"), "generated code has its enclosure"
        assert found["browser"]["state"] == "ok"
        rights = container.asked("exec", "cat", "/proc/self/status").stdout
        assert "CapEff:\t0000000000000000" in rights
        assert container.asked("exec", "id", "-u").stdout == "10001\n"
        for place in ("/srv/greenlight/app/x", "/home/greenlight/x", "/etc/x"):
            assert container.asked("exec", "touch", place).returncode != 0

        demo = container.asked("exec", "sh", "-c", "cd /tmp && greenlight demo 'A tool library for city blocks'")
        assert json.loads(demo.stdout.splitlines()[-1])["status"] == "completed", demo.stderr

        made = container.asked("exec", "greenlight", "projects", "create", "Bread by bicycle", "--json")
        project = json.loads(made.stdout)["project_id"]
        # Process ids begin anew in the next container; what a killed one has left is not taken for somebody there.
        container.signal(signal.SIGKILL)
        container.start()
        assert project in container.asked("exec", "greenlight", "projects", "list", "--json").stdout
        zombies = "cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z ' || true"
        assert container.asked("exec", "sh", "-c", zombies).stdout == "0\n"

        container.signal(signal.SIGTERM)
        assert container.output().rstrip().endswith("Stopped.")
        assert not (data / "stack.json").exists()
    finally:
        container.close()


@replayed
def test_what_is_wrong_makes_the_container_unwell(image: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    container = Container(image, data)
    try:
        container.start()
        stop = (
            "import os, signal; [os.kill(int(p), signal.SIGSTOP) for p in os.listdir('/proc') if p.isdigit()"
            " and b'web\\0public' in open(f'/proc/{p}/cmdline', 'rb').read()]"
        )
        assert container.asked("exec", "python", "-c", stop).returncode == 0
        unwell = container.asked("health")
        assert (unwell.returncode, "3080/healthz" in unwell.stdout) == (1, True)
    finally:
        container.close()

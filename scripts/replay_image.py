"""Carry out `deploy/Dockerfile` without a container engine, and run what comes of it: Linux, as root.

    scripts/replay_image.py build FOLDER        # the image's files in FOLDER/root, its settings in FOLDER/config.json
    scripts/replay_image.py run FOLDER [--read-only] [--data DIR] [-- COMMAND …]   # the image's command, or another
    scripts/replay_image.py exec FOLDER -- COMMAND …                # another command in the container that runs
    scripts/replay_image.py health FOLDER                           # its health check, as the engine asks it
    scripts/replay_image.py digest FOLDER       # one hash of all its files; two builds of the same inputs agree

Every instruction is taken from the Dockerfile's own text. The base is what Debian's images are made of: the release
that BASE names, by `mmdebstrap --variant=minbase` and this machine's mirror. A RUN is carried out by root in a pivoted
root with this machine's network; what finally runs is the image's user, without capabilities, under
`deploy/seccomp.json`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import borrowed
import dockerfile
import seccomp

ROOT = Path(__file__).resolve().parent.parent
CONTAINER = Path(__file__).with_name("container.sh")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Image:
    """What an image says about containers, beside its files."""

    environment: dict[str, str] = field(default_factory=lambda: {"PATH": _PATH})
    workdir: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def copy(self) -> Image:
        """Return one that a further stage may change."""
        return Image(**json.loads(json.dumps(asdict(self))))


class Build:
    """Carries out a Dockerfile, stage by stage, in `folder`."""

    def __init__(self, folder: Path, arguments: dict[str, str]) -> None:
        self._folder = folder
        self._file = dockerfile.parse((ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8"))
        self._given = {**self._file.arguments, **arguments}
        self._stages: dict[str, tuple[Path, Image]] = {}

    def run(self) -> None:
        """Carry out all stages; the last one is the image."""
        self._folder.mkdir(parents=True, exist_ok=True)
        image = Image()
        for number, stage in enumerate(self._file.stages):
            root = self._folder / f"stage{number}"
            base = dockerfile.expanded(stage.base, self._given)
            if base in self._stages:
                parent, image = self._stages[base]
                subprocess.run(["cp", "-a", "--reflink=auto", str(parent), str(root)], check=True)
                image = image.copy()
            else:
                image = Image()
                _bootstrap(base, root)
            self._stages[stage.name or str(number)] = (root, image)
            variables: dict[str, str] = {}
            for instruction in stage.instructions:
                print(f"--> {instruction.name} {instruction.rest[:100]}", flush=True)
                self._carry_out(instruction, root, image, variables)
        (self._folder / "config.json").write_text(json.dumps(asdict(image), indent=2) + "\n")
        root.rename(self._folder / "root")
        for leftover, _ in self._stages.values():
            shutil.rmtree(leftover, ignore_errors=True)

    def _carry_out(
        self, instruction: dockerfile.Instruction, root: Path, image: Image, variables: dict[str, str]
    ) -> None:
        known = {**image.environment, **variables}
        match instruction.name:
            case "ARG":
                name, has_default, default = instruction.rest.partition("=")
                variables |= {name: self._given.get(name, default)} if has_default or name in self._given else {}
            case "ENV":
                image.environment |= dockerfile.pairs(instruction.rest, known)
            case "RUN":
                _run(root, image, variables, instruction.rest)
            case "COPY":
                self._copy(instruction.rest, root, image)
            case "WORKDIR":
                image.workdir = instruction.rest
                (root / instruction.rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "USER":
                image.user = instruction.rest
            case "ENTRYPOINT":
                image.entrypoint = dockerfile.exec_form(instruction.rest)
            case "CMD":
                image.command = dockerfile.exec_form(instruction.rest)
            case "HEALTHCHECK":
                image.health = dockerfile.health_command(instruction.rest)
            case "LABEL" | "VOLUME" | "EXPOSE" | "STOPSIGNAL":
                pass
            case _:
                raise ValueError(f"line {instruction.line}: {instruction.name} cannot be carried out")

    def _copy(self, rest: str, root: Path, image: Image) -> None:
        words = rest.split()
        if words[0].startswith("--from="):
            source_root = self._stages[words.pop(0).removeprefix("--from=")][0]
            subprocess.run(
                ["cp", "-a", "--reflink=auto", f"{source_root}{words[0]}/.", _made(root, words[1])], check=True
            )
            return
        source, target = words
        files = dockerfile.context_files(ROOT)
        if source == ".":
            for file in files:
                _place(ROOT / file, root / target.lstrip("/") / file)
        elif source in files:
            whole = root / target.lstrip("/")
            _place(ROOT / source, whole / Path(source).name if target.endswith("/") else whole)
        else:
            raise ValueError(f"COPY {rest}: .dockerignore keeps {source} out, or it is a folder")


def _made(root: Path, folder: str) -> str:
    made = root / folder.lstrip("/")
    made.mkdir(parents=True, exist_ok=True)
    return str(made)


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _bootstrap(base: str, root: Path) -> None:
    """Make the files of Debian's base image `base`, such as debian:trixie-slim, from Debian's packages."""
    name, _, tag = base.partition("@")[0].partition(":")
    if name != "debian":
        raise ValueError(f"the base {base} is not one of Debian's: its files are not to be had without an engine")
    release = tag.removesuffix("-slim")
    subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", release, str(root)], check=True)
    # What an engine's base image says, too.
    (root / "etc" / "apt" / "apt.conf.d" / "00no-cache").write_text(
        'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
    )


def _run(root: Path, image: Image, variables: dict[str, str], script: str) -> None:
    with borrowed.lent() as binds:
        subprocess.run(
            [str(CONTAINER), str(root), "rw", "net", "env", "-C", image.workdir, "/bin/sh", "-c", script],
            env={**borrowed.variables(), **image.environment, **variables, "BINDS": binds},
            check=True,
        )
    borrowed.forget(root)


def container(
    folder: Path, command: Sequence[str], *, read_only: bool, data: Path, variables: dict[str, str]
) -> list[str]:
    """Return the command that runs `command` in a container of the image in `folder`, with `data` as its volume."""
    image = _image(folder)
    user, group = image.user.split(":")
    os.chown(data, int(user), int(group))
    filter_file = folder / "seccomp.bpf"
    filter_file.write_bytes(seccomp.program(ROOT / "deploy" / "seccomp.json"))
    return [
        *("env", "-i", f"PATH={_PATH}", f"BINDS={data}:/data {filter_file}:/.seccomp.bpf"),
        *(str(CONTAINER), str(folder / "root"), "ro" if read_only else "rw", "lo"),
        *_confined(image, variables),
        *image.entrypoint,
        *(command or image.command),
    ]


def inside(folder: Path, command: Sequence[str], variables: dict[str, str]) -> list[str]:
    """Return the command that runs `command` in the container of `folder` that is running; raise `LookupError`."""
    mark = f"{CONTAINER}\0{folder / 'root'}\0".encode()
    for parent in Path("/proc").glob("[0-9]*"):
        try:
            if (
                not parent.joinpath("cmdline").read_bytes().startswith(b"unshare\0")
                or mark not in parent.joinpath("cmdline").read_bytes()
            ):
                continue
            first = (parent / "task" / parent.name / "children").read_text().split()
        except OSError:
            continue
        if first:
            return ["nsenter", "--target", first[0], "--all", *_confined(_image(folder), variables), *command]
    raise LookupError(f"no container of {folder} is running")


def _image(folder: Path) -> Image:
    return Image(**json.loads((folder / "config.json").read_text()))


def _confined(image: Image, variables: dict[str, str]) -> list[str]:
    """Return what gives up all that the image's user does not have, before a command."""
    user, group = image.user.split(":")
    environment = {"HOME": "/home/greenlight", "HOSTNAME": "greenlight", **image.environment, **variables}
    limits = ["--reuid", user, "--regid", group, "--clear-groups", "--bounding-set", "-all", "--inh-caps", "-all"]
    return [
        *("setpriv", *limits, "--no-new-privs", "--seccomp-filter", "/.seccomp.bpf", "--"),
        *("env", "-i", "-C", image.workdir, *(f"{name}={value}" for name, value in environment.items())),
    ]


def digest(root: Path) -> str:
    """Return one hash of everything in `root`: names, kinds, modes, owners and contents. Times are not in it."""
    total = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        seen = path.lstat()
        told = f"{path.relative_to(root)} {seen.st_mode:o} {seen.st_uid}:{seen.st_gid} "
        if stat.S_ISREG(seen.st_mode):
            told += hashlib.sha256(path.read_bytes()).hexdigest()
        elif stat.S_ISLNK(seen.st_mode):
            told += os.readlink(path)
        total.update(told.encode() + b"\n")
    return total.hexdigest()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="action", required=True)
    build = commands.add_parser("build")
    build.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    run = commands.add_parser("run")
    run.add_argument("--read-only", action="store_true", help="the root cannot be written to, as compose.yaml has it")
    run.add_argument("--data", type=Path, help="the folder that is /data; by default FOLDER/data")
    within = commands.add_parser("exec")
    health = commands.add_parser("health")
    for one in (build, run, within, health, commands.add_parser("digest")):
        one.add_argument("folder", type=Path)
    for one in (run, within):
        one.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
        one.add_argument("command", nargs="*")
    options = parser.parse_args(argv)
    folder: Path = options.folder.resolve()
    if options.action == "build":
        Build(folder, dict(given.split("=", 1) for given in options.build_arg)).run()
    elif options.action == "digest":
        print(digest(folder / "root"))
    elif options.action in ("exec", "health"):
        asked = _image(folder).health if options.action == "health" else options.command
        variables = dict(given.split("=", 1) for given in getattr(options, "env", []))
        words = inside(folder, asked, variables)
        os.execvp(words[0], words)
    else:
        data: Path = options.data or folder / "data"
        data.mkdir(mode=0o700, exist_ok=True)
        variables = dict(given.split("=", 1) for given in options.env)
        words = container(folder, options.command, read_only=options.read_only, data=data, variables=variables)
        os.execvp(words[0], words)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the Containerfile makes of a checkout, as far as that can be told without a builder."""

from __future__ import annotations

import io
import json
import posixpath
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from docker.utils.build import exclude_paths
from dockerfile_parse import DockerfileParser

from sandbox.home import CHECKOUT

FILE = CHECKOUT / "Containerfile"
TARGETS = ("runner", "notifier", "webhook")
CERTIFICATES = "certificates/rds.pem"
"""What whoever builds puts into the checkout (docs/images.md)."""

_NOT_OURS = (".git", ".venv", ".freehold", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "__pycache__")


@dataclass(frozen=True)
class Copy:
    """One COPY. `stage` is where it copies from: empty for the build's context."""

    stage: str
    sources: Sequence[str]
    destination: str


@dataclass(frozen=True)
class Stage:
    """From one FROM to the next."""

    name: str
    base: str
    instructions: Sequence[tuple[str, str]]

    def values(self, instruction: str) -> list[str]:
        return [value for name, value in self.instructions if name == instruction]

    def pairs(self, instruction: str) -> dict[str, str]:
        """Of all ENV or all LABEL."""
        words = [word for value in self.values(instruction) for word in shlex.split(value)]
        return {name: value for name, _, value in (word.partition("=") for word in words)}

    def entry_point(self) -> list[str]:
        """Raises ValueError where it is no JSON: a shell would run it."""
        (value,) = self.values("ENTRYPOINT")
        return [str(word) for word in json.loads(value)]

    def copies(self) -> Iterator[Copy]:
        for value in self.values("COPY"):
            words = shlex.split(value)
            flags = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
            *sources, destination = [word for word in words if not word.startswith("--")]
            yield Copy(flags.get("from", ""), sources, destination)


def stages() -> Mapping[str, Stage]:
    """All of the Containerfile, by name."""
    parsed = DockerfileParser(fileobj=io.BytesIO(FILE.read_bytes()), env_replace=False).structure
    found: dict[str, Stage] = {}
    begun: list[tuple[str, str, list[tuple[str, str]]]] = []
    for one in parsed:
        name, value = str(one["instruction"]), str(one["value"])
        if name == "FROM":
            match = re.fullmatch(r"(?P<base>\S+) AS (?P<name>[a-z-]+)", value)
            assert match is not None, value
            begun.append((match["name"], match["base"], []))
        elif name != "COMMENT" and begun:
            begun[-1][2].append((name, value))
    for name, base, instructions in begun:
        found[name] = Stage(name, base, instructions)
    return found


def checkout(folder: Path) -> Path:
    """A copy of this checkout as somebody who builds has it: with certificates, and with what is nobody's business."""
    copy = folder / "checkout"
    shutil.copytree(CHECKOUT, copy, ignore=shutil.ignore_patterns(*_NOT_OURS))
    (copy / CERTIFICATES).parent.mkdir(exist_ok=True)
    (copy / CERTIFICATES).write_text("certificates\n")
    return copy


def context(folder: Path) -> frozenset[str]:
    """The files that a builder sees of the checkout at `folder`: .dockerignore as Docker's own client reads it."""
    lines = (folder / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    # The client adds these two whatever the file says; the builder hides them from COPY.
    own = {"Containerfile", ".dockerignore"}
    paths = exclude_paths(str(folder), patterns, dockerfile="Containerfile")
    return frozenset(path for path in paths if (folder / path).is_file()) - own


def lay_out(target: str, folder: Path, root: Path) -> Path:
    """Copy into `root` what `target` copies from the checkout at `folder`; its working directory there.

    Raises FileNotFoundError for a source that the builder does not see.
    """
    known, seen = stages(), context(folder)
    chain = [known[target]]
    while chain[-1].base in known:
        chain.append(known[chain[-1].base])
    working = "/"
    for stage in reversed(chain):
        for instruction, value in stage.instructions:
            if instruction == "WORKDIR":
                working = posixpath.join(working, value)
        for copy in stage.copies():
            if not copy.stage:
                _copy(copy, posixpath.join(working, copy.destination), folder, seen, root)
    return root / working.lstrip("/")


def _copy(copy: Copy, destination: str, folder: Path, seen: frozenset[str], root: Path) -> None:
    """By the rules of COPY: of a folder its content is copied, and one file gets the destination's own name only where
    that does not end with a slash. https://docs.docker.com/reference/dockerfile/#copy"""
    into = destination.endswith(("/", "/.")) or len(copy.sources) > 1
    for source in copy.sources:
        below = {path: path.removeprefix(f"{source}/") for path in seen if path.startswith(f"{source}/")}
        named = {path: posixpath.basename(path) for path in seen if _matches(path, source)}
        if not below and not named:
            raise FileNotFoundError(source)
        for path, name in {**below, **named}.items():
            whole = posixpath.normpath(posixpath.join(destination, name) if into or below else destination)
            target = root / whole.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / path, target)


def _matches(path: str, pattern: str) -> bool:
    """A star does not cross a slash."""
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))

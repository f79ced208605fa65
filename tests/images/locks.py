"""The locks of the images, and environments that hold what one of them names and nothing else."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import sysconfig
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from sandbox.home import CHECKOUT

_ENTRY = re.compile(
    r"^(?P<name>[a-z0-9.-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\]+?))? \\\n(?P<hashes>(?: +--hash.+\n?)+)", re.M
)


@dataclass(frozen=True)
class Pin:
    """One package of a lock."""

    version: str
    marker: str
    hashes: frozenset[str]

    @property
    def applies(self) -> bool:
        """Whether this machine's environment would have it."""
        return not self.marker or Marker(self.marker).evaluate()


def path(group: str) -> Path:
    """The lock of an image, or of the webhook's archive for AWS Lambda (`function`)."""
    folder = CHECKOUT / "images"
    return CHECKOUT / "services" / "billing" / "requirements.txt" if group == "function" else folder / f"{group}.txt"


def pins(lock: Path) -> Mapping[str, Pin]:
    """Every package of a lock; raises AssertionError for a line that is none."""
    text = lock.read_text()
    found = {
        entry["name"]: Pin(
            entry["version"], entry["marker"] or "", frozenset(re.findall(r"sha256:[0-9a-f]{64}", entry["hashes"]))
        )
        for entry in _ENTRY.finditer(text)
    }
    assert _ENTRY.sub("", text).strip() == "", lock
    return found


def environment(image: str, folder: Path) -> Path:
    """A virtual environment in `folder` with the packages of the image's lock, taken from this one; its `bin`."""
    venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    here = Path(sysconfig.get_path("purelib"))
    wanted = {name for name, pin in pins(path(image)).items() if pin.applies}
    shared = _top_level_of_others(wanted)
    for name in sorted(wanted):
        found = importlib.metadata.distribution(name)
        assert found.version == pins(path(image))[name].version, name
        for file in found.files or ():
            if file.parts[0] == "..":
                _script(here / file, folder / "bin")
                continue
            whole = Path(*file.parts) if file.parts[0] in shared else Path(file.parts[0])
            link = packages / whole
            if not link.exists() and (here / whole).exists():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(here / whole)
    return folder / "bin"


def _top_level_of_others(wanted: set[str]) -> set[str]:
    """Names in site-packages that packages other than `wanted` have a part in."""
    others = [one for one in importlib.metadata.distributions() if canonicalize_name(one.name) not in wanted]
    return {file.parts[0] for one in others for file in one.files or ()}


def _script(source: Path, binaries: Path) -> None:
    if source.parent.resolve() != (Path(sys.prefix) / "bin").resolve() or not source.is_file():
        return
    target = binaries / source.name
    target.write_bytes(source.read_bytes().replace(f"{sys.prefix}/bin/python".encode(), f"{binaries}/python".encode()))
    target.chmod(0o755)

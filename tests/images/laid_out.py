"""An image in a folder: what its target copies, with the packages of its lock and nothing else of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.images import containerfile, locks


@dataclass(frozen=True)
class Image:
    """A target. `home` is its working directory, `root` stands for `/`."""

    target: str
    root: Path
    home: Path
    binaries: Path
    """`bin` of its virtual environment."""

    @property
    def command(self) -> list[str]:
        return containerfile.stages()[self.target].entry_point()

    @property
    def variables(self) -> dict[str, str]:
        """What the Containerfile sets, but for PATH, whose places are elsewhere here."""
        stages = containerfile.stages()
        told = {**stages["base"].pairs("ENV"), **stages[self.target].pairs("ENV")}
        del told["PATH"]
        return told

    def files(self) -> Mapping[Path, int]:
        """All of it with the times of last changes: in a container nothing of it can be written.

        But for what Python compiles: that is in the image already, and Python does without where it cannot write.
        """
        files = (path for path in self.root.rglob("*") if not path.is_dir() and "__pycache__" not in path.parts)
        return {path: path.lstat().st_mtime_ns for path in files}


def lay_out(target: str, checkout: Path, root: Path) -> Image:
    """The image of `target` in the empty folder `root`, from the sources in `checkout`."""
    home = containerfile.lay_out(target, checkout, root)
    return Image(target, root, home, locks.environment(target, home / ".venv"))

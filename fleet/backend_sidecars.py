"""The file backend's sidecar files, `<file>.attrs`, of which a killed engine can leave an empty one.

The backend writes a state and its lock atomically, but the attributes beside them in place
(gocloud.dev/blob/fileblob, attrs.go); with half of one, every command of the engine on that stack ends in `EOF`.
Nothing in it is needed: without the file the backend takes the attributes for unknown.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path


def remove_broken(backend: Path, project: str, stack: str) -> list[Path]:
    """Remove the stack's sidecars that are cut short; which those were.

    Safe beside an engine that is writing one: what it writes goes with the file, and the state stays as it is.
    """
    states = (backend / ".pulumi" / "stacks" / project).glob(f"{stack}.json*.attrs")
    locks = (backend / ".pulumi" / "locks" / "organization" / project / stack).glob("*.attrs")
    broken = []
    for path in (*states, *locks):
        with contextlib.suppress(FileNotFoundError):
            try:
                json.loads(path.read_bytes())
            except ValueError:
                path.unlink()
                broken.append(path)
    return broken

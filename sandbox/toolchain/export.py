"""Puts tools into a folder of their own, in the versions of the table: the images that we build hold the same ones.

    python -m sandbox.toolchain.export FOLDER TOOL...

Needs nothing but a Python with pip; what is missing is made first.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from errors import ExitCode, FreeholdError
from sandbox.toolchain.install import ensure


def export(names: Sequence[str], folder: Path) -> None:
    """Copy the executables `names` into `folder`, making it. Raises FreeholdError, UsageError for an unknown name."""
    found = ensure(names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in found.items():
            # Not the times: the same tools give the same layer of an image.
            shutil.copyfile(path, folder / name)
            (folder / name).chmod(0o755)
    except OSError as error:
        raise FreeholdError(f"cannot be written: {error.strerror or error}", where=str(folder)) from error


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("tool", nargs="+")
    asked = parser.parse_args()
    try:
        export(asked.tool, asked.folder)
    except FreeholdError as error:
        print(error.line(), file=sys.stderr)
        return error.exit_code
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())

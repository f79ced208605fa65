"""Builds a service's archive for Lambda: the same inputs give the same bytes, on whatever machine.

(Whose Python compresses by zlib, as nearly all do: another library, such as zlib-ng, gives other bytes of the same
content, and so one update of the function.)

    python -m services.package [FILE] [--authority PEM] [--architecture arm64|x86_64] [--python 3.13]

Without FILE it is put into the user's cache, where the platform's program looks for it (`found`); `freehold up` and
`freehold preview` do that by themselves. Dependencies are wheels for the function's own platform, fetched by pip with
their hashes checked, once a user.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from errors import FreeholdError
from sandbox.toolchain.cache import cache_root, locked, publish, staging

CHECKOUT = Path(__file__).resolve().parent.parent

HANDLER = "services.billing.lambda_entry.handler"
AUTHORITY = "database-authority.pem"
"""In the archive: the certificates that vouch for the database's server."""

_REQUIREMENTS = CHECKOUT / "services" / "billing" / "requirements.txt"
# What the webhook imports of this project, and nothing else: no Pulumi, no sandbox, no other service.
_OWN = (
    "errors.py",
    "catalog/**/*.py",
    "fleet/__init__.py",
    "fleet/connection_limits.py",
    "fleet/operations.py",
    "fleet/registry.py",
    "services/__init__.py",
    "services/health.py",
    "services/login.py",
    "services/logs.py",
    "services/billing/*.py",
)
_LEFT_OUT = ("__pycache__", "bin", "tests")
_LEVEL = 6
# The oldest time that a ZIP archive can tell.
_TIME = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o100644 << 16
_PLATFORMS: Mapping[str, str] = {"arm64": "aarch64", "x86_64": "x86_64"}

Architecture = Literal["arm64", "x86_64"]


@dataclass(frozen=True)
class Target:
    """What the function runs on. Lambda's Python 3.12 and newer has glibc 2.34, 3.11 has 2.26."""

    architecture: Architecture = "arm64"
    python: str = "3.13"

    @property
    def runtime(self) -> str:
        """As Lambda calls it."""
        return f"python{self.python}"

    @property
    def pip_flags(self) -> Sequence[str]:
        machine = _PLATFORMS[self.architecture]
        levels = ("2_17", "2_26") if self.python == "3.11" else ("2_17", "2_26", "2_28", "2_34")
        flags = [f"--platform=manylinux_{level}_{machine}" for level in levels]
        flags += [f"--platform=manylinux2014_{machine}", f"--python-version={self.python}"]
        return [*flags, "--implementation=cp", f"--abi=cp{self.python.replace('.', '')}", "--only-binary=:all:"]


def this_machine() -> Target:
    """What an archive has to be built for to run here."""
    architecture: Architecture = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    return Target(architecture, f"{sys.version_info.major}.{sys.version_info.minor}")


def build(target: Target, authority: bytes = b"") -> bytes:
    """The archive's bytes; `authority` is put in as AUTHORITY. Raises FreeholdError where pip fails."""
    entries = dict(_own())
    dependencies = _dependencies(target)
    for path in dependencies.rglob("*"):
        name = path.relative_to(dependencies).as_posix()
        if path.is_file() and not _left_out(name):
            entries[name] = path.read_bytes()
    if authority:
        entries[AUTHORITY] = authority
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = 3  # Unix, wherever it is built
            entry.external_attr = _FILE_MODE
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, entries[name], compresslevel=_LEVEL)
    return content.getvalue()


def built(target: Target, authority: bytes = b"") -> Path:
    """The archive in the user's cache, made once for the same inputs. Raises FreeholdError where pip fails."""
    path, root = _place(target, authority), cache_root()
    with locked(root, "archives", lambda: print("waiting for another build of the archive", file=sys.stderr)):
        if not path.is_file():
            path.parent.parent.mkdir(parents=True, exist_ok=True)
            with staging(root, "archives") as staged:
                (staged / path.name).write_bytes(build(target, authority))
                publish(staged, path.parent)
    return path


def found(target: Target, authority: bytes = b"") -> Path | None:
    """Where `built` put the archive of these inputs; None where it did not yet. Builds nothing."""
    path = _place(target, authority)
    return path if path.is_file() else None


def _place(target: Target, authority: bytes) -> Path:
    """A name for the inputs: sources, pinned dependencies, platform, certificates, and how they are put together."""
    digest = hashlib.sha256("\0".join((*target.pip_flags, _REQUIREMENTS.read_text())).encode())
    for name, content in sorted([*_own(), ("package", Path(__file__).read_bytes()), (AUTHORITY, authority)]):
        digest.update(f"\0{name} {len(content)}\0".encode() + content)
    return cache_root() / "archives" / f"billing-{digest.hexdigest()[:16]}" / "billing.zip"


def _own() -> Iterator[tuple[str, bytes]]:
    for pattern in _OWN:
        for path in CHECKOUT.glob(pattern):
            yield path.relative_to(CHECKOUT).as_posix(), path.read_bytes()


def _left_out(name: str) -> bool:
    """What differs from one installation to the next, and what a function has no use for."""
    parts = name.split("/")
    return any(part in _LEFT_OUT or part.endswith(".dist-info") for part in parts) or name.endswith((".pyc", ".pyi"))


def _dependencies(target: Target) -> Path:
    """The folder with the dependencies unpacked; whole or absent, shared by all checkouts of a user."""
    root = cache_root()
    inputs = "\0".join((*target.pip_flags, _REQUIREMENTS.read_text()))
    entry = root / "wheels" / f"billing-{hashlib.sha256(inputs.encode()).hexdigest()[:16]}"
    with locked(root, "wheels", lambda: print("waiting for another build of the archive", file=sys.stderr)):
        if not entry.is_dir():
            entry.parent.mkdir(parents=True, exist_ok=True)
            with staging(root, "wheels") as staged:
                _install(target, staged)
                publish(staged, entry)
    return entry


def _install(target: Target, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-compile", "--require-hashes", "--target", str(folder), *target.pip_flags]
    run = subprocess.run([*command, "-r", str(_REQUIREMENTS)], capture_output=True, text=True)
    if run.returncode != 0:
        lines = [line for line in run.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
        mend = "see that pip reaches its registry, and run it again"
        raise FreeholdError(lines[-1], where=f"archive of the billing webhook for {target.architecture}", mend=mend)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--authority", type=Path, help="certificates that vouch for the database's server")
    parser.add_argument("--architecture", choices=sorted(_PLATFORMS), default=Target.architecture)
    parser.add_argument("--python", default=Target.python)
    asked = parser.parse_args()
    try:
        authority = asked.authority.read_bytes() if asked.authority else b""
        path = built(Target(asked.architecture, asked.python), authority)
        if asked.file:
            shutil.copyfile(path, asked.file)
    except OSError as error:
        print(f"services.package: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except FreeholdError as error:
        print(error.line(), file=sys.stderr)
        return error.exit_code
    print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {asked.file or path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

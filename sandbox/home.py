"""Where the sandbox keeps its state: one folder, FREEHOLD_HOME."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from errors import FreeholdError
from sandbox.files import unreadable

CHECKOUT = Path(__file__).resolve().parent.parent
"""The folder that holds Pulumi.yaml."""

# sockaddr_un.sun_path holds 108 bytes on Linux, the closing NUL included (unix(7)).
SOCKET_PATH_LIMIT = 107
"""The longest path of a Unix socket, in bytes."""

SHORT_FOLDER = Path("/tmp")
"""Where sockets go whose own place has too long a path."""


@dataclass(frozen=True)
class Home:
    """The paths below one FREEHOLD_HOME; making a `Home` creates nothing on disk."""

    root: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Home:
        """FREEHOLD_HOME of `environment` (default `os.environ`), else `.freehold/` in the checkout. Raises
        FreeholdError for one that no folder can have as its name."""
        chosen = (os.environ if environment is None else environment).get("FREEHOLD_HOME")
        if not chosen:
            return cls(CHECKOUT / ".freehold")
        mend = "set FREEHOLD_HOME to another folder"
        try:
            root = Path(chosen).expanduser().resolve()
        except RuntimeError as error:  # ~name of a user that there is not, or links that lead to each other
            what = str(error).rstrip(".")
            raise FreeholdError(what, where=f"FREEHOLD_HOME={chosen}", mend=mend) from None
        if any(letter == ":" or not letter.isprintable() for letter in str(root)):
            # PATH and KUBECONFIG hold it, configuration files and JSON too; what is no UTF-8 is not printable.
            what = "holds a colon, or a letter that cannot be printed"
            raise FreeholdError(what, where=f"FREEHOLD_HOME={str(root)!a}", mend=mend)
        try:
            root.lstat()
        except OSError as error:  # what else may be wrong is told where it is used
            if error.errno == errno.ENAMETOOLONG:
                raise unreadable(root, error) from None
        return cls(root)

    @property
    def run(self) -> Path:
        """Pid files, lock files and sockets."""
        return self.root / "run"

    @property
    def lock(self) -> Path:
        """The supervisor's, which says in it who it is."""
        return self.run / "supervisor.lock"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.root / "logs"

    @property
    def data(self) -> Path:
        """What the sandbox's servers keep: etcd, Postgres, Redis, the AWS journal."""
        return self.root / "data"

    @property
    def certificates(self) -> Path:
        """The sandbox's certificate authority and what it signed."""
        return self.root / "certificates"

    @property
    def credentials(self) -> Path:
        """Generated credentials (mode 0600)."""
        return self.root / "credentials"

    @property
    def pulumi_home(self) -> Path:
        """PULUMI_HOME of the sandbox: the only place where the stand-ins are found."""
        return self.root / "pulumi"

    @property
    def backend(self) -> Path:
        """The file backend's folder: state, history and locks of every stack."""
        return self.root / "backend"

    @property
    def tenants(self) -> Path:
        """One working folder for each tenant stack."""
        return self.root / "tenants"

    @property
    def rehearsals(self) -> Path:
        """One working folder for each environment that is rehearsed here."""
        return self.root / "rehearsals"

    @property
    def kube_cache(self) -> Path:
        """KUBECACHEDIR: what kubectl remembers of a cluster's kinds."""
        return self.root / "kube-cache"

    @property
    def folders(self) -> tuple[Path, ...]:
        """All that is kept below `root`, which may be a folder that holds more: each is for its owner alone."""
        kept = (self.run, self.logs, self.data, self.certificates, self.credentials, self.pulumi_home)
        return (*kept, self.backend, self.tenants, self.rehearsals, self.kube_cache)

    @property
    def recorded(self) -> Path:
        """SQLite file of the recorded (not live) resources of the provider stand-ins."""
        return self.data / "recorded.sqlite"

    def socket(self, name: str) -> Path:
        """A Unix socket's path: below `run`, or below /tmp where that is too long for the kernel. Makes nothing.

        Not TMPDIR, which differs between those who have to find it. Raises FreeholdError where somebody else has the
        folder there, whose name can be guessed.
        """
        path = self.run / f"{name}.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
            return path
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        folder = SHORT_FOLDER / f"freehold-{os.getuid()}-{digest}"
        with suppress(FileNotFoundError):
            _require_own(folder)
        return folder / f"{name}.sock"

    def place_for_socket(self, name: str) -> Path:
        """The same, with its folder made: for who is going to listen there."""
        path = self.socket(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.socket(name)  # somebody else may have made the folder meanwhile


def _require_own(folder: Path) -> None:
    """That the folder is this user's alone. Raises FileNotFoundError where there is none."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        what = "the folder for the sandbox's sockets is not this user's alone"
        raise FreeholdError(what, where=str(folder), mend="remove it, or set FREEHOLD_HOME to a shorter path")

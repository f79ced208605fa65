"""Drives the real Pulumi engine on a program given as text, for conformance and rehearsal tests and benchmarks."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
import yaml

from fleet.program_host.client import ProgramHost
from fleet.state_files import local_backend, state_path, stored

Json = Any
_TIMEOUT = 600.0


@dataclass(frozen=True)
class Run:
    """One finished engine command."""

    command: tuple[str, ...]
    code: int
    stdout: str
    stderr: str
    seconds: float
    events: tuple[Json, ...]

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def changes(self) -> dict[str, int]:
        """How many resources were created, updated, left the same, ... as the engine's summary says."""
        for event in reversed(self.events):
            if "summaryEvent" in event:
                return {
                    kind: int(count) for kind, count in (event["summaryEvent"].get("resourceChanges") or {}).items()
                }
        return {}

    @property
    def diagnostics(self) -> tuple[str, ...]:
        """Warnings and errors, in order."""
        found = (event["diagnosticEvent"] for event in self.events if "diagnosticEvent" in event)
        return tuple(d["message"].strip() for d in found if d["severity"] in ("error", "warning", "info#err"))

    def steps(self, name: str) -> tuple[str, ...]:
        """The operations on the resource of this name, in order (`create`, `create-replacement`, `delete-replaced`)."""
        found = (event["resourcePreEvent"]["metadata"] for event in self.events if "resourcePreEvent" in event)
        return tuple(step["op"] for step in found if step["urn"].rsplit("::", 1)[-1] == name)

    def detailed_diff(self, name: str) -> dict[str, str]:
        """Property path to kind of change, of the resource of this name."""
        for event in self.events:
            step = event.get("resourcePreEvent", {}).get("metadata")
            if step and step["urn"].rsplit("::", 1)[-1] == name and step.get("detailedDiff"):
                return {path: change["diffKind"] for path, change in step["detailedDiff"].items()}
        return {}

    def expect_ok(self) -> Run:
        """This run; raises AssertionError with what the engine said where it failed."""
        if not self.ok:
            raise AssertionError(f"{' '.join(self.command)} exited with {self.code}\n{self.stdout}\n{self.stderr}")
        return self


@functools.cache
def sdks() -> ProgramHost:
    """Has imported what the programs of tests import, once for this process."""
    folder = tempfile.mkdtemp(prefix="freehold-sdks-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return ProgramHost("tests.rehearsal.sdks", log=Path(folder) / "log", policies=True)


_INITIALISED: dict[tuple[str, str], tuple[Json, str]] = {}
"""The state and the stack's file of the first stack of each backend and keeper of secrets."""


@functools.cache
def _secrets_provider(endpoint: str, region: str, key: str, secret: str) -> str:
    """A key of the sandbox's KMS. To derive one from the passphrase takes every command half of its time.

    Not by the engine's second SDK of AWS, which now and then closes a connection while it reads the answer
    (aws/aws-sdk-go-v2, issue 2737).
    """
    session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret, region_name=region)
    made = session.client("kms", endpoint_url=endpoint).create_key(Description="the stacks of tests")
    return f"awskms://{made['KeyMetadata']['KeyId']}?{urlencode({'region': region, 'endpoint': endpoint})}"


@dataclass
class EngineProject:
    """A Pulumi project with one stack in a folder of its own.

    `environment` is the whole environment of the engine: PATH with pulumi on it, PULUMI_HOME, PULUMI_BACKEND_URL,
    PULUMI_CONFIG_PASSPHRASE, and what the providers need.
    """

    environment: Mapping[str, str]
    folder: Path
    name: str = "conformance"
    stack: str = "test"
    config: Mapping[str, str] = field(default_factory=dict)
    passphrase: bool = False
    """Secrets are kept by the passphrase, as those of Freehold's stacks, and not by the sandbox's KMS."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
        # JSON is YAML.
        (self.folder / "Pulumi.yaml").write_text(json.dumps({"name": self.name, "runtime": runtime}))
        (self.folder / "__main__.py").write_text("")
        self._init()
        if self.config:
            # The stack's own file as `stack init` has begun it: what its secrets are encrypted by is in there.
            stack_file = self.folder / f"Pulumi.{self.stack}.yaml"
            begun = yaml.safe_load(stack_file.read_text()) if stack_file.exists() else {}
            stack_file.write_text(json.dumps({**begun, "config": dict(self.config)}))

    def _init(self) -> None:
        """`pulumi stack init`, once for a backend; the next stack there is what that one was, under its own name."""
        backend = local_backend(self.environment)
        made_from = (str(backend), self._secrets())
        stack_file = self.folder / f"Pulumi.{self.stack}.yaml"
        full_name = f"organization/{self.name}/{self.stack}"
        if backend is None or made_from not in _INITIALISED:
            self.pulumi("stack", "init", self.stack, "--secrets-provider", made_from[1]).expect_ok()
            if backend is not None:
                made = json.loads(stored(state_path(backend, self.name, self.stack)))
                assert made["checkpoint"]["Stack"] == full_name
                _INITIALISED[made_from] = (made, stack_file.read_text())
            return
        made, text = _INITIALISED[made_from]
        state = state_path(backend, self.name, self.stack)
        assert not state.exists(), f"{full_name} is there already"
        state.parent.mkdir(parents=True, exist_ok=True)
        state.write_text(json.dumps({**made, "checkpoint": {**made["checkpoint"], "Stack": full_name}}))
        stack_file.write_text(text)

    def _secrets(self) -> str:
        of = ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        given = [self.environment.get(name) for name in of]
        return "passphrase" if self.passphrase or not all(given) else _secrets_provider(*given)

    def program(self, text: str) -> None:
        """Replace the program."""
        (self.folder / "__main__.py").write_text(textwrap.dedent(text))
        # Bytecode stands for a text of the same length and the same second.
        shutil.rmtree(self.folder / "__pycache__", ignore_errors=True)

    def up(self, program: str | None = None, *flags: str, environment: Mapping[str, str] | None = None) -> Run:
        """`pulumi up` without its preview; the program stays as it was where none is given."""
        if program is not None:
            self.program(program)
        return self._programmed("up", "--yes", "--skip-preview", *flags, environment=environment)

    def preview(self, program: str | None = None, *flags: str) -> Run:
        if program is not None:
            self.program(program)
        return self._programmed("preview", *flags)

    def refresh(self, *flags: str) -> Run:
        return self._programmed("refresh", "--yes", "--skip-preview", *flags)

    def destroy(self, *flags: str) -> Run:
        return self._programmed("destroy", "--yes", "--skip-preview", *flags)

    def clear(self, *flags: str) -> None:
        """Destroy what there is; nothing is run where nothing is there."""
        if self.state().get("resources"):
            self.destroy(*flags).expect_ok()

    def adopt(self, type: str, name: str, id: str) -> Run:
        """`pulumi import` of one resource, which reads it into the state."""
        return self.adopt_all({name: (type, id)})

    def adopt_all(self, resources: Mapping[str, tuple[str, str]]) -> Run:
        """The same of any number: types and ids by name."""
        named = [{"type": type, "name": name, "id": id} for name, (type, id) in resources.items()]
        file = self.folder / "import.json"
        file.write_text(json.dumps({"resources": named}))
        flags = ("--yes", "--protect=false", "--generate-code=false", "--skip-preview")
        return self.pulumi("import", *flags, "--file", str(file))

    def outputs(self) -> dict[str, Json]:
        """The stack's outputs, secrets in clear."""
        run = self.pulumi("stack", "output", "--json", "--show-secrets").expect_ok()
        outputs: dict[str, Json] = json.loads(run.stdout)
        return outputs

    def state(self) -> dict[str, Json]:
        """The stack's deployment as it is stored, secrets encrypted; empty before the first run."""
        backend = local_backend(self.environment)
        assert backend is not None, "tests keep their states in files"
        checkpoint = json.loads(stored(state_path(backend, self.name, self.stack)))["checkpoint"]
        deployment: dict[str, Json] = checkpoint.get("latest") or {}
        return deployment

    def resources(self) -> dict[str, Json]:
        """Logical name to state entry, of every resource that is not waiting for its deletion."""
        entries: Iterator[Json] = (entry for entry in self.state().get("resources", []) if not entry.get("delete"))
        return {entry["urn"].rsplit("::", 1)[-1]: entry for entry in entries}

    def start(self, *command: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """A command left running, in a session of its own so that it can be killed with all it started."""
        return subprocess.Popen(
            self._line(command),
            cwd=self.folder,
            # --event-log is one of the engine's commands and flags for debugging.
            env={**self.environment, "PULUMI_DEBUG_COMMANDS": "true", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def pulumi(self, *command: str, events: Path | None = None, environment: Mapping[str, str] | None = None) -> Run:
        """Any command of the engine, to its end."""
        began = time.perf_counter()
        process = self.start(*command, environment=environment)
        try:
            stdout, stderr = process.communicate(timeout=_TIMEOUT)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        seconds = time.perf_counter() - began
        lines = events.read_text().splitlines() if events is not None and events.exists() else []
        return Run(command, process.returncode, stdout, stderr, seconds, tuple(json.loads(line) for line in lines))

    def _programmed(self, command: str, *flags: str, environment: Mapping[str, str] | None = None) -> Run:
        with sdks().serving({**self.environment, **(environment or {})}) as served:
            return self._operation(command, "--client", served.address, *flags, environment=served.environment)

    def _operation(self, *command: str, environment: Mapping[str, str] | None = None) -> Run:
        events = self.folder / "events.jsonl"
        events.unlink(missing_ok=True)
        return self.pulumi(*command, "--event-log", str(events), events=events, environment=environment)

    def _line(self, command: Sequence[str]) -> list[str]:
        stack = [] if command[:2] == ("stack", "init") else ["--stack", self.stack]
        return ["pulumi", "--non-interactive", "--logflow=false", *command, *stack]

"""Runs the real Pulumi engine on one stack, with its progress, its locks and what a killed run left behind."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from errors import FreeholdError, TransientError
from fleet import backend_locks, backend_sidecars, engine_process, pending
from fleet.disk import Room, room
from fleet.engine_process import SKIP_PREVIEW, Observer
from fleet.engine_runs import EngineRun, end_orphans, new_token, recorded
from fleet.failures import explain
from fleet.interrupts import Interrupted, Interrupts
from fleet.locks import WAIT_SECONDS, locked
from fleet.passing_stack import passing
from fleet.processes import RUN_VARIABLE
from fleet.program_host.client import ProgramHost, program
from fleet.stack import Result, Stack
from fleet.stack_commands import StackCommands
from fleet.stack_files import form_kept, read_stack_file
from fleet.state import StackState, read_state, refuse_lost
from fleet.state_files import compress, local_backend, make_empty, state_copies, state_path
from fleet.urns import urn_name
from sandbox.files import unwritable
from sandbox.home import Home
from sandbox.supervisor.pidfile import ProcessIdentity

Json = Any


class Engine:
    """Commands on one stack. `tell` gets whole lines for the user, `observe` the progress about 20 times a second.

    `programs` has imported the stack's program; without one the engine starts an interpreter for each run of it.
    """

    def __init__(
        self,
        home: Home,
        stack: Stack,
        *,
        tell: Callable[[str], None],
        observe: Observer | None = None,
        interrupts: Interrupts | None = None,
        policies: Path | None = None,
        wait: float = WAIT_SECONDS,
        programs: ProgramHost | None = None,
    ) -> None:
        self.home, self.stack = home, stack
        self._programs = programs
        self._tell, self._observe = tell, observe or (lambda progress: None)
        self._interrupts = interrupts or Interrupts()
        self._policies = policies
        self._wait = wait
        self._room: Room | None = None
        self._commands = StackCommands(stack, self._log, self._interrupts, self._stop_if_asked)

    def up(self, *, preview_new: bool = True) -> Result:
        """Preview under the policies, then update; makes the stack if it does not exist.

        Without `preview_new` a stack that holds nothing is updated at once: the policies refuse a resource before it is
        made, but what they say of the stack as a whole they say when it is there.
        """
        new = () if preview_new else (SKIP_PREVIEW,)
        return self._change("up", "--yes", *self._packs(), *self._message(), new=new)

    def finish_cut_off(self) -> None:
        """Where a create died with its provider: run once more what was wanted then, so that the state holds what was
        made before something smaller is wanted. What cannot be built is told and left; what may pass is raised."""
        if not self.stack.journaled:
            return
        if not (urns := pending.cut_off(self.home, self.stack.project, self.stack.name)):
            return
        names = ", ".join(map(urn_name, urns))
        self._tell(f"stack {self.stack.name}: the provider died while it made {names}; running it once more")
        try:
            self.up()
        except (TransientError, Interrupted):
            raise
        except FreeholdError as error:
            self._tell(error.line())

    def refresh(self) -> Result:
        """Read every resource of the state anew."""
        return self._change("refresh", "--yes", SKIP_PREVIEW)

    def unprotect(self) -> None:
        """Bring what the state protects, and nothing else, to what the program says of it now. Runs nothing where the
        state protects nothing. Without policies, as a destroy: it is the first step of one."""
        with self._held():
            if urns := (self._state() or StackState()).protected:
                self._operation("up", "--yes", SKIP_PREVIEW, *_targets(urns), *self._message())

    def destroy(self) -> Result:
        """Delete what the stack holds; its configuration and its history stay."""
        return self._change("destroy", "--yes", SKIP_PREVIEW, *self._message())

    def preview(self) -> Result:
        """What `up` would do. Takes no lock; a stack that does not exist is made (empty) for it, and taken away."""
        with self._interrupts.caught(self._tell):
            self._file()
            self._mend()
            if self._state() is not None:
                return self._operation("preview", *self._packs())
            name, backend = self.stack.name, local_backend(self.stack.environment)
            files = [self._path]
            if backend is not None:  # the copies of a state that was lost: perhaps the last ones
                files += state_copies(backend, self.stack.project, name)
            with passing(name, tuple(files), make=self._initialise, remove=self._take_away, tell=self._tell):
                return replace(self._operation("preview", *self._packs()), state=None)

    def _take_away(self) -> None:
        """Forget a stack that is empty, also after Ctrl-C. Raises FreeholdError where a run has it by now."""
        with self._lock(wait=0, stop=lambda: None):
            self._commands.forget(anyway=True)

    def remove(self) -> None:
        """Forget the stack: its state and history. Raises FreeholdError if it still holds resources."""
        with self._own_lock():
            self._mend()
            if self._state() is not None:
                compress(self.stack.environment, self.stack.project, self.stack.name)
                self._commands.forget()

    def _packs(self) -> tuple[str, ...]:
        return () if self._policies is None else ("--policy-pack", str(self._policies))

    def _message(self) -> tuple[str, ...]:
        return ("--message", self.stack.message) if self.stack.message else ()

    def _change(self, command: str, *flags: str, new: tuple[str, ...] = ()) -> Result:
        """With the flags `new` too where the stack holds nothing."""
        with self._held() as empty:
            result = self._operation(command, *flags, *(new if empty else ()))
            if self.stack.journaled and command != "refresh":
                pending.require_none_cut_off(self.home, self.stack.project, self.stack.name)
            return result

    @contextmanager
    def _held(self) -> Iterator[bool]:
        """Under the stack's lock, with the stack ready for a change; whether it holds nothing. The reserve is that of
        whoever holds the lock."""
        with self._interrupts.caught(self._tell), self._own_lock(), self._with_room():
            yield self._ready()

    @contextmanager
    def _with_room(self) -> Iterator[None]:
        backend = local_backend(self.stack.environment)
        if backend is None:
            yield
            return
        with room(backend, state_path(backend, self.stack.project, self.stack.name)) as self._room:
            yield
        self._room = None

    def _lock(self, *, wait: float, stop: Callable[[], None]) -> AbstractContextManager[None]:
        path = self.home.run / f"stack-{self.stack.name}.lock"
        return locked(path, f"stack {self.stack.name}", wait=wait, tell=self._tell, stop=stop)

    def _own_lock(self) -> AbstractContextManager[None]:
        """Waited for, unless somebody asks to stop."""
        return self._lock(wait=self._wait, stop=self._stop_if_asked)

    def _ready(self) -> bool:
        """Bring the stack to where an update may begin: no orphans, no stale lock, it exists, nothing pending. Whether
        it held nothing; told here, as to read the state of a bucket is a run of the engine."""
        self._file()  # so that a malformed one is told with its place, before anything is touched
        end_orphans(self.home, self._tell)
        self._mend()
        name, backend = self.stack.name, local_backend(self.stack.environment)
        if backend is not None:
            backend_locks.clear_stale(
                backend,
                self.stack.project,
                name,
                wait=self._wait,
                tell=self._tell,
                stop=self._stop_if_asked,
                cancel=self._commands.cancel,
            )
        state = self._state()  # first, as of a damaged one the copy beside it must stay
        compress(self.stack.environment, self.stack.project, name)
        if state is None:
            self._initialise()
        elif state.pending:
            self._resolve(state)
        return state is None or not (state.resources or state.pending)

    def _mend(self) -> None:
        backend = local_backend(self.stack.environment)
        if backend is not None and backend_sidecars.remove_broken(backend, self.stack.project, self.stack.name):
            self._tell(
                f"stack {self.stack.name}: removed attributes of its state that a killed engine had half written"
            )

    def _resolve(self, state: StackState) -> None:
        if not self.stack.journaled:
            pending.refuse(self.stack.name, state, self.stack.workdir)
            return
        pending.resolve(
            self.home,
            self.stack.name,
            state,
            tell=self._tell,
            stop=self._stop_if_asked,
            export=self._commands.export,
            replace=self._commands.replace,
            refresh=self._read_again,
        )

    def _read_again(self, urns: Sequence[str]) -> None:
        self._operation("refresh", "--yes", SKIP_PREVIEW, *_targets(urns))

    def _initialise(self) -> None:
        refuse_lost(self.stack.project, self.stack.name, self.stack.environment)
        file = self._file()
        provider, salt = file.get("secretsprovider"), file.get("encryptionsalt")
        # With a salt that is there the engine would derive the key, for a quarter of a second, and not use it.
        if salt and not provider and make_empty(self.stack.environment, self.stack.project, self.stack.name):
            return
        with form_kept(self._path):
            self._commands.make(str(provider) if provider else None)

    @property
    def _path(self) -> Path:
        return self.stack.workdir / f"Pulumi.{self.stack.name}.yaml"

    def _file(self) -> Mapping[str, Json]:
        return read_stack_file(self._path)

    def _state(self) -> StackState | None:
        return read_state(self.stack.project, self.stack.name, self.stack.environment, self.stack.workdir)

    @property
    def _log(self) -> Path:
        return self.home.logs / f"pulumi-{self.stack.name}.log"

    def _operation(self, command: str, *flags: str) -> Result:
        self._stop_if_asked()
        run = EngineRun(self.stack.name, command, new_token(), ProcessIdentity.own())
        began = time.monotonic()
        with (
            recorded(self.home, run),
            program(self._programs, {**self.stack.environment, RUN_VARIABLE: run.token}) as (imported, environment),
            self._interrupts.at_work(),
        ):
            ended = engine_process.run(
                (command, *imported, "--stack", self.stack.name, *flags),
                workdir=self.stack.workdir,
                environment=environment,
                token=run.token,
                observe=self._observe,
                interrupts=self._interrupts,
                room=self._room,
            )
            # A preview holds no lock: what lies there is another's, and `cancel` takes away all that there are.
            if ended.code < 0 and ended.progress.begun and command != "preview":
                self._unlock()
        self._keep(ended.said)
        if ended.short_of_room and self._room is not None:
            raise self._room.refused()
        if self._interrupts.count:
            raise Interrupted(f"stack {self.stack.name}")
        if ended.code < 0:
            what = f"pulumi {command} was ended by {signal.Signals(-ended.code).name}"
            raise TransientError(what, where=f"stack {self.stack.name}", mend="run it again: it goes on from there")
        if ended.code != 0:
            raise explain(self.stack.name, command, ended.progress, ended.said, self._log)
        return Result(self.stack.name, command, ended.progress, time.monotonic() - began, self._state())

    def _unlock(self) -> None:
        """After the death of an engine that held the stack. A lock in files is seen to be stale by the next run; one in
        a bucket would be there for ever, because nobody could tell."""
        if local_backend(self.stack.environment) is not None:
            return
        try:
            self._commands.cancel(anyway=True)
        except FreeholdError as error:
            self._tell(error.line())

    def _stop_if_asked(self) -> None:
        if self._interrupts.count:
            raise Interrupted(f"stack {self.stack.name}")

    def _keep(self, said: str) -> None:
        try:
            self.home.logs.mkdir(parents=True, exist_ok=True)
            self._log.write_text(said)
        except OSError as error:
            self._tell(unwritable(self._log, error).line())


def _targets(urns: Sequence[str]) -> list[str]:
    return [part for urn in urns for part in ("--target", urn)]

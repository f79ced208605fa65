"""Making what is missing, and one folder of links for PATH."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from hashlib import sha256
from pathlib import Path
from shutil import rmtree

from errors import FreeholdError, UsageError
from sandbox.toolchain import cache, compiler, debian, download, gomodules
from sandbox.toolchain.commands import Commands
from sandbox.toolchain.find import entry, find, scripts
from sandbox.toolchain.progress import Reporter, Shown, reported
from sandbox.toolchain.tools import TOOLS, DebianBinary, GoBinary, ModuleScript, Tool, WheelBinary

# A second unit fills the first one's waits for the network; the compiler itself uses every core.
_AT_ONCE = 2

MEND = "run `./freehold doctor --install`"


def locate(name: str) -> Path:
    """The executable of the tool `name`; a FreeholdError with the mend where it has still to be made."""
    found = find(_known(name).name)
    if found is None:
        raise FreeholdError(f"{name} is not installed", where="toolchain", mend=MEND)
    return found.path


def ensure(names: Iterable[str] | None = None, reporter: Reporter | None = None) -> dict[str, Path]:
    """Make what is missing of `names` (None: every tool but those made on request); return where each lies.

    Safe when two processes do it at once, and after a kill at any moment. `reporter` is by default bars on a terminal
    and lines elsewhere, on standard error; nothing is shown when nothing is missing.
    """
    wanted = [_known(name) for name in names] if names is not None else default_tools()
    found = {tool.name: find(tool.name) for tool in wanted}
    missing = [tool for tool in wanted if found[tool.name] is None]
    if missing:
        try:
            if reporter is None:
                with Shown() as shown:
                    _make(missing, shown)
            else:
                _make(missing, reporter)
        except OSError as error:
            where = str(error.filename or cache.cache_root())
            mend = "free some space, or set XDG_CACHE_HOME to a folder that can be written"
            raise FreeholdError(f"cannot be written: {error.strerror or error}", where=where, mend=mend) from error
    return {tool.name: locate(tool.name) for tool in wanted}


def default_tools(tools: Mapping[str, Tool] = TOOLS) -> list[Tool]:
    """The tools that are made without being asked for by name."""
    return [tool for tool in tools.values() if not tool.on_request]


def _known(name: str) -> Tool:
    tool = TOOLS.get(name)
    if tool is None:
        raise UsageError(f"no tool is called {name!r}", where="toolchain", mend=f"one of: {', '.join(TOOLS)}")
    return tool


def _make(missing: list[Tool], reporter: Reporter) -> None:
    absent = sorted({tool.source.distribution for tool in missing if isinstance(tool.source, WheelBinary)})
    if absent:
        mend = "remove .venv and run ./freehold again"
        raise FreeholdError(f"the virtual environment lacks {' and '.join(absent)}", where=".venv", mend=mend)
    units: dict[str, list[Tool]] = {}
    for tool in missing:
        units.setdefault(tool.source.unit, []).append(tool)
    root = cache.cache_root()
    commands = Commands()
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="toolchain")
    try:
        go = _compiler(missing, root, commands, reporter)
        tasks = [pool.submit(_make_unit, unit, tools, go, root, commands, reporter) for unit, tools in units.items()]
        done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        # Reached early by a failure or Ctrl-C: what still runs is ended. Go's own cache keeps what was compiled.
        commands.stop()
        pool.shutdown(wait=True, cancel_futures=True)


def _compiler(missing: list[Tool], root: Path, commands: Commands, reporter: Reporter) -> Path | None:
    groups = {tool.source.folder for tool in missing if isinstance(tool.source, GoBinary | ModuleScript)}
    if not groups:
        return None
    least = max(compiler.required(group) for group in groups)
    return compiler.obtain(least, root, commands, reporter)


def _make_unit(
    unit: str, tools: list[Tool], go: Path | None, root: Path, commands: Commands, reporter: Reporter
) -> None:
    """Make the tools of one unit that are missing, under the unit's lock."""
    names = ", ".join(sorted({tool.name for tool in tools}))
    with reported(reporter, unit, f"making {names}", "ready"):
        waiting = f"waiting for another process that makes {names}"
        with cache.locked(root, unit, lambda: reporter.detail(unit, waiting)):
            still = [tool for tool in tools if find(tool.name) is None]
            if not still:
                return
            with cache.staging(root, unit) as staged:
                if isinstance(still[0].source, DebianBinary):
                    _install_debian(still[0].source, staged, root, commands)
                else:
                    assert go is not None
                    _build_go(go, still, staged, root, commands, reporter)


def _install_debian(source: DebianBinary, staged: Path, root: Path, commands: Commands) -> None:
    bundle = [
        (tool, tool.source)
        for tool in TOOLS.values()
        if isinstance(tool.source, DebianBinary) and tool.source.bundle == source.bundle
    ]
    target = entry(bundle[0][0])
    debian.install(bundle, staged, target, root, commands)
    cache.publish(staged / "entry", target)


def _build_go(go: Path, missing: list[Tool], staged: Path, root: Path, commands: Commands, reporter: Reporter) -> None:
    # A script that is missing is made together with the tool beside which it lies: they are one entry.
    owners = {tool.source.beside if isinstance(tool.source, ModuleScript) else tool.name for tool in missing}
    binaries = [(TOOLS[name], source) for name in sorted(owners) if isinstance(source := TOOLS[name].source, GoBinary)]
    if download.wanted():
        binaries = [(tool, source) for tool, source in binaries if not _download(tool, staged, reporter)]
        if not binaries:
            return
    gomodules.build(go, binaries, staged, root, commands, reporter)
    for tool, _ in binaries:
        beside = [(script, script.source) for script in scripts(tool) if isinstance(script.source, ModuleScript)]
        gomodules.copy_scripts(go, beside, staged, root, commands)
        cache.publish(staged / tool.name, entry(tool))


def _download(tool: Tool, staged: Path, reporter: Reporter) -> bool:
    folder = staged / f"{tool.name}.download"
    folder.mkdir()
    done = download.fetch(tool, folder, lambda text: reporter.detail(tool.source.unit, text))
    if done:
        cache.publish(folder, entry(tool))
    return done


def bin_directory() -> Path:
    """A folder with a link to each tool that is there, to be put on PATH; another set of tools is another folder."""
    present = [found for found in map(find, TOOLS) if found is not None]
    targets = {found.tool.name: found.path.absolute() for found in present}
    digest = sha256("\n".join(f"{name} {path}" for name, path in sorted(targets.items())).encode()).hexdigest()[:12]
    folder = cache.cache_root() / "bin" / digest
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
        for name, path in targets.items():
            (staged / name).symlink_to(path)
        staged.chmod(0o755)
        try:
            os.rename(staged, folder)
        except OSError:
            rmtree(staged)
            if not folder.is_dir():
                raise  # not the race with another process that made the same folder
    return folder

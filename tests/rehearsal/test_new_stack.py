"""What is spared a stack that is new: a run of the engine that makes it and, if asked so, the preview."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from errors import FreeholdError
from fleet.engine import Engine
from fleet.events import Progress
from fleet.stack import Stack
from fleet.stack_commands import StackCommands
from fleet.state_files import make_empty, state_copies, state_path, stored
from tests.rehearsal.trivial import Trivial

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]

_POLICIES = """
import os
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy, StackValidationPolicy


def named(args, report):
    if args.name == os.environ.get("FORBIDDEN"):
        report("no such shelf")


def whole(args, report):
    if os.environ.get("FORBIDDEN") == "all" and len(args.resources) > 2:
        report("too much at once")


PolicyPack("shelves", enforcement_level=EnforcementLevel.MANDATORY, policies=[
    ResourceValidationPolicy("named", "Shelves that may be.", named),
    StackValidationPolicy("whole", "As much as may be.", whole),
])
"""


def engine(
    trivial: Trivial, seen: list[Progress] | None = None, policies: Path | None = None, **variables: str
) -> Engine:
    """`seen` collects its progress."""

    def observe(progress: Progress) -> None:
        if seen is not None:
            seen.append(replace(progress))

    stack = Stack("trivial", "dev", trivial.folder / "work", trivial.environment(**variables))
    return Engine(trivial.home, stack, tell=trivial.told.append, observe=observe, policies=policies)


def anew(trivial: Trivial) -> None:
    """The stack was there before, so its file has a salt and the backend is one that was used."""
    trivial.engine(COUNT="1").up()
    trivial.engine().destroy()
    trivial.engine().remove()


@pytest.mark.parametrize("compressed", ["true", "false"])
def test_it_is_made_as_the_engine_makes_one(trivial: Trivial, compressed: str) -> None:
    environment = trivial.environment(PULUMI_DIY_BACKEND_GZIP=compressed)
    command = ["pulumi", "--non-interactive", "stack", "init", "theirs", "--no-select"]
    subprocess.run(command, cwd=trivial.folder / "work", env=environment, check=True, capture_output=True)
    assert make_empty(environment, "trivial", "ours")
    # The first that it writes; then it writes once more what secrets are encrypted with, which it has from the file.
    theirs = next(path for path in state_copies(trivial.home.backend, "trivial", "theirs") if path.exists())
    ours = state_path(trivial.home.backend, "trivial", "ours")
    assert ours.name == theirs.name.removesuffix(".bak").replace("theirs", "ours")
    assert json.loads(stored(ours)) == json.loads(stored(theirs).replace(b"theirs", b"ours"))


def test_where_its_key_is_settled_no_engine_runs_for_it(trivial: Trivial, monkeypatch: pytest.MonkeyPatch) -> None:
    anew(trivial)
    file = (trivial.folder / "work/Pulumi.dev.yaml").read_bytes()
    monkeypatch.delattr(StackCommands, "make")
    assert trivial.engine().up().progress.changes == {"create": 5}
    assert (trivial.folder / "work/Pulumi.dev.yaml").read_bytes() == file
    assert trivial.engine().up().progress.changes == {"same": 5}


def test_it_is_updated_at_once_and_later_after_a_preview(trivial: Trivial) -> None:
    seen: list[Progress] = []
    first = engine(trivial, seen).up(preview_new=False)
    assert first.progress.changes == {"create": 5}
    assert not [one for one in seen if one.previewing or one.planned]
    seen.clear()
    assert engine(trivial, seen, COUNT="4").up(preview_new=False).progress.changes == {"create": 1, "same": 5}
    assert [one for one in seen if one.previewing]


def test_after_a_failure_that_left_something_it_is_previewed(trivial: Trivial) -> None:
    with pytest.raises(FreeholdError, match="the shelf is full"):
        engine(trivial, REFUSE="shelf-1").up(preview_new=False)
    seen: list[Progress] = []
    engine(trivial, seen).up(preview_new=False)
    assert [one for one in seen if one.previewing]
    assert trivial.made == dict.fromkeys(("shelf-0", "shelf-1", "shelf-2"), "made\n")


def test_what_a_policy_forbids_is_not_made_without_a_preview_either(trivial: Trivial, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
    (pack / "PulumiPolicy.yaml").write_text(json.dumps({"name": "shelves", "version": "0.1.0", "runtime": runtime}))
    (pack / "__main__.py").write_text(_POLICIES)
    for forbidden, said, made in (
        ("shelf-1", "amid the update.*shelf-1 breaks named", False),
        ("all", "amid the update.*breaks whole", True),
    ):
        with pytest.raises(FreeholdError, match=said):
            engine(trivial, policies=pack, FORBIDDEN=forbidden).up(preview_new=False)
        assert ("shelf-1" in trivial.made) == made, forbidden
        trivial.engine().destroy()

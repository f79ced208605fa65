"""Engine runs with the real engine: progress, failures in one line, files that stay as they are."""

from __future__ import annotations

import pytest

from errors import FreeholdError
from fleet.state import read_state
from fleet.state_files import state_path
from tests.rehearsal.trivial import Trivial, living

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]


def test_up_makes_the_stack_then_changes_nothing_and_leaves_the_selected_stack_alone(trivial: Trivial) -> None:
    first = trivial.engine().up()
    assert first.progress.changes == {"create": 5}
    assert first.progress.planned == 5
    assert set(trivial.made) == {"shelf-0", "shelf-1", "shelf-2"}
    assert first.state is not None
    assert first.state.by_component() == {"shelf (Shelf)": 3}
    assert first.state.outputs["answer"] == 42
    second = trivial.engine().up()
    assert (second.changed, second.progress.changes) == (0, {"same": 5})
    assert not (trivial.home.pulumi_home / "workspaces").exists()
    assert not living(trivial.folder)
    assert not list((trivial.home.run / "engines").iterdir())


def test_destroy_and_remove(trivial: Trivial) -> None:
    trivial.engine().up()
    assert trivial.engine().destroy().progress.changes == {"delete": 5}
    assert trivial.made == {}
    trivial.engine().remove()
    stack = trivial.engine().stack
    assert read_state("trivial", "dev", stack.environment, stack.workdir) is None


def test_a_failure_is_one_line_with_the_resource(trivial: Trivial) -> None:
    with pytest.raises(FreeholdError) as failure:
        trivial.engine(REFUSE="shelf-1").up()
    assert str(failure.value).startswith("stack dev, shelf-1: the shelf is full; see ")
    assert "\n" not in str(failure.value)
    assert "shelf-1" not in trivial.made
    trivial.engine().up()
    assert trivial.made == dict.fromkeys(("shelf-0", "shelf-1", "shelf-2"), "made\n")  # none of them twice


def test_a_plain_state_goes_on_compressed(trivial: Trivial) -> None:
    """As one of an earlier release does, or one that was written by hand without the variable."""
    assert trivial.engine().up().progress.changes == {"create": 5}
    plain = state_path(trivial.home.backend, "trivial", "dev")
    for changes in ({"create": 1, "same": 5}, {"same": 6}):
        assert trivial.engine(COUNT="4", PULUMI_DIY_BACKEND_GZIP="true").up().progress.changes == changes
        compressed = state_path(trivial.home.backend, "trivial", "dev")
        assert (compressed.name, plain.exists()) == ("dev.json.gz", False)
    assert trivial.engine(COUNT="4").preview().progress.changes == {"same": 6}
    trivial.engine(PULUMI_DIY_BACKEND_GZIP="true").destroy()
    trivial.engine(PULUMI_DIY_BACKEND_GZIP="true").remove()
    assert read_state("trivial", "dev", trivial.environment(), trivial.folder / "work") is None


def test_the_copy_of_a_damaged_state_stays_where_states_become_compressed(trivial: Trivial) -> None:
    trivial.engine().up()
    trivial.engine(COUNT="4").up()
    plain = state_path(trivial.home.backend, "trivial", "dev")
    copy, whole = plain.with_name("dev.json.bak"), plain.read_bytes()
    plain.write_bytes(whole[: len(whole) // 2])  # as a full disk leaves it
    kept = copy.read_bytes()
    with pytest.raises(FreeholdError, match=rf"^{plain}: the state is damaged .*; restore it from dev\.json\.bak or "):
        trivial.engine(COUNT="4", PULUMI_DIY_BACKEND_GZIP="true").up()
    assert copy.read_bytes() == kept
    copy.replace(plain)
    assert trivial.engine(COUNT="4", PULUMI_DIY_BACKEND_GZIP="true").up().progress.changes["same"] >= 5


def test_a_wrong_passphrase_is_one_line_and_loses_nothing(trivial: Trivial) -> None:
    trivial.engine().up()
    before = (trivial.home.backend / ".pulumi/stacks/trivial/dev.json").read_bytes()
    with pytest.raises(FreeholdError, match=r"^stack dev: wrong passphrase; set PULUMI_CONFIG_PASSPHRASE"):
        trivial.engine(PULUMI_CONFIG_PASSPHRASE="another").up()
    assert (trivial.home.backend / ".pulumi/stacks/trivial/dev.json").read_bytes() == before


def test_a_stack_file_that_is_no_yaml_is_one_line_with_the_place(trivial: Trivial) -> None:
    path = trivial.folder / "work/Pulumi.dev.yaml"
    path.write_text("config:\n  a: [1, 2\n")
    with pytest.raises(FreeholdError, match=rf"^{path}:3:1: not valid YAML: .*; correct it$"):
        trivial.engine().up()
    path.write_text("")
    trivial.engine().up()
    path.write_text("config: {a: b: c}\n")
    with pytest.raises(FreeholdError, match=rf"^{path}:1:14: not valid YAML"):
        trivial.engine().up()


def test_a_stack_file_stays_as_it_was_written_whatever_is_done(trivial: Trivial) -> None:
    path = trivial.folder / "work/Pulumi.dev.yaml"
    written = "# Sizes.\n\nconfig:\n    # the first\n    trivial:b:   '1'   # aside\n\n    trivial:a: 2\n# the end\n"
    path.write_text(written)
    trivial.engine().preview()
    assert path.read_text() == written
    trivial.engine().up()  # makes the stack, and with it the salt
    begun = path.read_text()
    assert begun.removeprefix(written).startswith("encryptionsalt: v1:")
    trivial.engine().preview()
    trivial.engine().refresh()
    trivial.engine().destroy()
    trivial.engine().remove()
    trivial.engine().up()  # made anew, by the salt that is there
    assert path.read_text() == begun


def test_what_is_protected_is_destroyed_without_anything_being_built_for_it(trivial: Trivial) -> None:
    trivial.engine(COUNT="2", PROTECT="shelf-1").up()
    with pytest.raises(FreeholdError, match=r"^stack dev, shelf-1: .*protected"):
        trivial.engine(COUNT="2").destroy()
    assert set(trivial.made) == {"shelf-1"}
    trivial.engine(REFUSE="shelf-2").unprotect()
    assert set(trivial.made) == {"shelf-1"}
    assert trivial.engine().destroy().progress.changes == {"delete": 3}
    assert trivial.made == {}
    trivial.engine(REFUSE="shelf-0").unprotect()  # it holds nothing any more

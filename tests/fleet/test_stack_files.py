"""A stack's file stays as a person wrote it when the engine adds its keys; a mistake in it is told in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from errors import FreeholdError
from fleet.stack_files import form_kept, project_name, read_stack_file

WRITTEN = """\
# Real sizes.

config:
    # first the region
    freehold:region:   us-east-1   # aside

    freehold:network: { cidr: 10.0.0.0/16 }
# the end"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "Pulumi.prod.yaml"


def rewrite(file: Path, **more: object) -> None:
    """As the engine does it: all of it, in a form of its own."""
    file.write_text(yaml.safe_dump({**(yaml.safe_load(file.read_text()) or {}), **more}))


def test_what_was_added_follows_what_a_person_wrote(file: Path) -> None:
    file.write_text(WRITTEN)
    file.chmod(0o640)
    with form_kept(file):
        rewrite(file, secretsprovider="awskms://alias/a", encryptedkey="k")
    added = "encryptedkey: k\nsecretsprovider: awskms://alias/a\n"
    assert file.read_text() == f"{WRITTEN}\n{added}"
    assert file.stat().st_mode & 0o777 == 0o640


def test_nothing_is_written_where_nothing_was_added(file: Path) -> None:
    file.write_text(WRITTEN)
    with form_kept(file):
        pass
    assert file.read_text() == WRITTEN


@pytest.mark.parametrize(
    "before", [json.dumps({"config": {"a": 1}}), "", "secretsprovider: other\n", "config:\n  a: |\n    line"]
)
def test_what_does_not_go_together_is_left_to_the_engine(file: Path, before: str) -> None:
    file.write_text(before)
    with form_kept(file):
        rewrite(file, secretsprovider="awskms://alias/a", encryptedkey="k")
        engines = file.read_text()
    assert file.read_text() == engines


def test_a_file_that_was_not_there_is_the_engines(file: Path) -> None:
    with form_kept(file):
        file.write_text("encryptionsalt: s\n")
    assert file.read_text() == "encryptionsalt: s\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "config:\n  a: \0\n",
            "not valid YAML: unacceptable character #x0000: control characters are not allowed at position 13; ",
        ),
        ("config: {a: 2026-02-30}\n", "not valid YAML: day "),
        ("config: {a: b\n", "not valid YAML: did not find expected ',' or '}'"),
    ],
)
def test_what_is_no_yaml_is_one_line(file: Path, content: str, expected: str) -> None:
    file.write_text(content)
    with pytest.raises(FreeholdError) as refused:
        read_stack_file(file)
    line = refused.value.line()
    assert line.startswith(str(file)) and expected in line and line.endswith("; correct it")
    assert "\n" not in line


def test_a_folder_in_place_of_the_file(file: Path) -> None:
    file.mkdir()
    with pytest.raises(FreeholdError, match=r"Pulumi\.prod\.yaml: cannot read: Is a directory; put a file there"):
        read_stack_file(file)
    with pytest.raises(FreeholdError, match="Is a directory"), form_kept(file):
        pass


@pytest.mark.parametrize("content", ["", "runtime: python\n", "name:\n", "name: [a]\n"])
def test_a_project_without_a_name(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(
        FreeholdError, match=r"Pulumi\.prod\.yaml: name: is missing or no text; write `name: freehold`$"
    ):
        project_name(file)

"""docs/fidelity.md tells what the tables say."""

from __future__ import annotations

from pathlib import Path

from sandbox.providers import fidelity


def test_the_document_is_current() -> None:
    mend = "run: python -m sandbox.providers.fidelity --write"
    assert fidelity.section() in fidelity.DOCUMENT.read_text(encoding="utf-8"), mend


def test_what_others_wrote_in_the_document_stays(tmp_path: Path) -> None:
    document = tmp_path / "fidelity.md"
    document.write_text(f"# Title\n\nBefore.\n\n{fidelity.BEGIN}\nold\n{fidelity.END}\n\nAfter.\n")
    fidelity.main(["--write"], document)
    text = document.read_text()
    assert text.startswith("# Title\n\nBefore.\n\n") and text.endswith("\n\nAfter.\n")
    assert "\nold\n" not in text and "aws:rds/instance:Instance" in text

"""freehold:billing, and the archive that it asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from errors import UsageError
from services import package
from stacks import billing_archive
from stacks.settings.platform import BillingSettings
from tests.stacks.files import load, stack_file

CHOSEN = {"enabled": True, "livemode": False}


def test_the_mode_is_said_aloud() -> None:
    assert BillingSettings.model_validate(CHOSEN).livemode is False
    with pytest.raises(ValidationError, match="livemode"):
        BillingSettings.model_validate({"enabled": True})


@pytest.mark.parametrize(
    "wrong",
    [
        {"enabled": False},
        {"colour": "red"},
        {"concurrency": 0},
        {"authority": "/etc/certificates.pem"},
        {"authority": "../../etc/certificates.pem"},
        {"authority": "certificates/../../other.pem"},
        {"authority": "C:/certificates.pem"},
        {"authority": "..\\certificates.pem"},
        {"authority": "certificates.txt"},
    ],
)
def test_what_is_unknown_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BillingSettings.model_validate({**CHOSEN, **wrong})


def _config(stack: str, **changes: Any) -> dict[str, Any]:
    config = {**stack_file(stack)["config"], "freehold:billing": CHOSEN, **changes}
    return {key: value for key, value in config.items() if value is not None}


def test_it_is_refused_without_a_control_database() -> None:
    config = _config("sandbox", **{"freehold:control": None, "freehold:notifier": None})
    with pytest.raises(UsageError, match="billing keeps its events in the control database"):
        load(config, "sandbox")


def test_a_real_database_is_verified() -> None:
    with pytest.raises(UsageError, match=r"^Pulumi\.dev\.yaml: freehold:billing\.authority: missing"):
        load(_config("dev"), "dev")
    named = {"freehold:billing": {**CHOSEN, "authority": "certificates/rds.pem"}}
    load(_config("dev", **named), "dev")


def test_what_was_built_is_found_and_else_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(package, "build", lambda target, authority: b"content" + authority)
    settings = BillingSettings.model_validate(CHOSEN)
    with pytest.raises(UsageError, match=r"not built; run: \.venv/bin/python -m services\.package$"):
        billing_archive.archive(settings)
    assert billing_archive.build(None) == billing_archive.archive(settings) == billing_archive.build(None)
    assert billing_archive.archive(settings).read_bytes() == b"content"


def test_certificates_that_lie_outside_of_the_checkout_are_not_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "CHECKOUT", tmp_path / "checkout")
    (tmp_path / "checkout").mkdir()
    (tmp_path / "other.pem").write_text("other")
    (tmp_path / "checkout/rds.pem").symlink_to(tmp_path / "other.pem")
    with pytest.raises(UsageError, match=r"authority: rds\.pem leads out of the checkout; copy the file into it"):
        billing_archive.build("rds.pem")


def test_certificates_are_part_of_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(package, "build", lambda target, authority: b"content" + authority)
    monkeypatch.setattr(package, "CHECKOUT", tmp_path)
    (tmp_path / "rds.pem").write_text(" one")
    monkeypatch.setattr(package, "_own", lambda: iter(()))
    settings = BillingSettings.model_validate({**CHOSEN, "authority": "rds.pem"})
    first = billing_archive.build("rds.pem")
    assert billing_archive.archive(settings) == first and first.read_bytes() == b"content one"
    (tmp_path / "rds.pem").write_text(" two")
    with pytest.raises(UsageError, match=r"--authority rds\.pem"):
        billing_archive.archive(settings)
    (tmp_path / "rds.pem").unlink()
    with pytest.raises(UsageError, match=r"^freehold:billing\.authority: rds\.pem: No such file"):
        billing_archive.archive(settings)

"""Mail that a server takes for some of its recipients: https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1"""

from __future__ import annotations

import uuid

import pytest

from services.notifier.sinks import SinkFailed, SinkRefused, mail
from tests.services.notifier.test_mail import _mail, _mail_server, _Mailbox
from tests.services.notifier.test_sinks import ALERT

OPS, CFO = "ops@example.com", "cfo@example.com"


def _taken(mailbox: _Mailbox) -> list[list[str]]:
    return [recipients for _, recipients, _ in mailbox.messages]


def test_who_is_refused_for_good_is_told_and_the_others_get_it_once() -> None:
    mailbox = _Mailbox()
    mailbox.of_recipient[CFO] = "550 no such user"
    with _mail_server(mailbox) as port:
        sink = _mail(port, encryption="offered")
        for _ in range(2):
            with pytest.raises(SinkRefused) as refused:
                sink.send(ALERT)
            assert str(refused.value) == f"1 of 2 recipients have it; refused: {CFO} (answered 550)"
    assert _taken(mailbox) == [[OPS]]


@pytest.mark.parametrize("answer", ["451 come back later", "452 too many recipients", "552 too many recipients"])
def test_who_is_put_off_gets_it_later_and_the_others_not_again(answer: str) -> None:
    mailbox = _Mailbox()
    mailbox.of_recipient[CFO] = answer
    with _mail_server(mailbox) as port:
        sink = _mail(port, encryption="offered")
        with pytest.raises(SinkFailed) as failed:
            sink.send(ALERT)
        assert not isinstance(failed.value, SinkRefused)
        assert str(failed.value) == f"1 of 2 recipients have it; refused: {CFO} (answered {answer[:3]})"
        del mailbox.of_recipient[CFO]
        sink.send(ALERT)
        assert _taken(mailbox) == [[OPS], [CFO]]
        # Another alert is everybody's.
        sink.send(ALERT.model_copy(update={"id": uuid.UUID(int=8)}))
    assert _taken(mailbox)[2:] == [[OPS, CFO]]


def test_who_may_take_it_later_gets_it_whatever_the_others_answer() -> None:
    """As a server that puts off who it does not know (greylisting), and one address of two that has gone."""
    mailbox = _Mailbox()
    mailbox.of_recipient = {OPS: "451 come back later", CFO: "550 no such user"}
    with _mail_server(mailbox) as port:
        sink = _mail(port, encryption="offered")
        with pytest.raises(SinkFailed, match="0 of 2 recipients have it") as failed:
            sink.send(ALERT)
        assert not isinstance(failed.value, SinkRefused)
        # Who was refused for good is not asked again.
        mailbox.of_recipient = {}
        with pytest.raises(SinkRefused, match=rf"^1 of 2 recipients have it; refused: {CFO} \(answered 550\)$"):
            sink.send(ALERT)
    assert _taken(mailbox) == [[OPS]]


def test_whom_a_server_that_breaks_off_did_not_come_to_is_asked_again() -> None:
    mailbox = _Mailbox()
    mailbox.of_recipient[OPS] = "421 going down"
    with _mail_server(mailbox) as port:
        sink = _mail(port, encryption="offered")
        with pytest.raises(SinkFailed, match="0 of 2 recipients have it"):
            sink.send(ALERT)
        mailbox.of_recipient = {}
        sink.send(ALERT)
    assert _taken(mailbox) == [[OPS, CFO]]


def test_a_server_that_fails_later_leaves_told_who_has_it() -> None:
    mailbox = _Mailbox()
    mailbox.of_recipient[CFO] = "451 come back later"
    with _mail_server(mailbox) as port:
        sink = _mail(port, encryption="offered")
        with pytest.raises(SinkFailed):
            sink.send(ALERT)
        mailbox.of_recipient, mailbox._data = {}, "554 no"
        with pytest.raises(SinkRefused, match=r"^answered 554; 1 of 2 recipients have it$"):
            sink.send(ALERT)


def test_it_remembers_the_latest_alerts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "_REMEMBERED", 2)
    mailbox = _Mailbox()
    mailbox.of_recipient[CFO] = "550 no such user"
    with _mail_server(mailbox) as port:
        sink = _mail(port, encryption="offered")
        for number in (1, 2, 3, 1, 3):
            with pytest.raises(SinkRefused):
                sink.send(ALERT.model_copy(update={"id": uuid.UUID(int=number)}))
    assert len(mailbox.messages) == 4

"\uff11\uff17\uff16\uff10Signatures, with Stripe's own library as the judge of what is valid."

from __future__ import annotations

import hashlib
import hmac
import time

import pytest
import stripe

from services.billing.signature import SignatureRefused, sign, verify

SECRET, OTHER = "whsec_0123456789abcdef", "whsec_fedcba9876543210"
BODY = b'{"id": "evt_1", "object": "event"}'
NOW = 1_760_000_000


def refused(header: str | None, *, body: bytes = BODY, now: float = NOW, secrets: tuple[str, ...] = (SECRET,)) -> str:
    with pytest.raises(SignatureRefused) as caught:
        verify(body, header, [one.encode() for one in secrets], now)
    return str(caught.value)


def digest(signed: str, body: bytes = BODY, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), signed.encode() + b"." + body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("body", [BODY, b"", b"\xff\x00", '{"name": "Zoë"}'.encode()])
def test_what_stripes_library_signs_is_taken(body: bytes) -> None:
    library = stripe.WebhookSignature._compute_signature(f"{NOW}.{body.decode('latin-1')}", SECRET)
    if body.isascii():  # the library signs text
        assert sign(body, SECRET.encode(), NOW) == f"t={NOW},v1={library}"
    verify(body, sign(body, SECRET.encode(), NOW), [SECRET.encode()], NOW)


def test_what_is_signed_here_is_taken_by_stripes_library() -> None:
    now = int(time.time())
    assert stripe.WebhookSignature.verify_header(BODY.decode(), sign(BODY, SECRET.encode(), now), SECRET, 300)


def test_any_of_several_secrets_will_do() -> None:
    both = [OTHER.encode(), SECRET.encode()]
    verify(BODY, sign(BODY, SECRET.encode(), NOW), both, NOW)
    verify(BODY, sign(BODY, OTHER.encode(), NOW), both, NOW)
    rolled = f"t={NOW},v1={digest(str(NOW), secret=OTHER)},v1={digest(str(NOW))}"
    verify(BODY, rolled, [SECRET.encode()], NOW)
    verify(BODY, rolled, [OTHER.encode()], NOW)


def test_bad_digests_and_unknown_schemes_beside_a_good_one_do_no_harm() -> None:
    good = digest(str(NOW))
    for extra in (f"v1={'0' * 64}", "v1=", "v1=zz", "v0=abc", "v2=abc", "nonsense"):
        verify(BODY, f"t={NOW},{extra},v1={good}", [SECRET.encode()], NOW)
        verify(BODY, f"t={NOW},v1={good},{extra}", [SECRET.encode()], NOW)


@pytest.mark.parametrize("header", [None, ""])
def test_missing(header: str | None) -> None:
    assert refused(header) == "there is no Stripe-Signature header"


@pytest.mark.parametrize(
    "header",
    [
        f"t={NOW},v0={digest(str(NOW))}",
        f"t={NOW}",
        f"t={NOW},v1=",
        f"t={NOW},v1={digest(str(NOW)).upper()}",
        f"t={NOW}," + ",".join(f"v1={digest(str(NOW))}" for _ in range(1000)),
    ],
)
def test_no_usable_v1(header: str) -> None:
    assert "v1 signatures" in refused(header)


def test_so_many_signatures_and_no_more() -> None:
    mine, others = f"v1={digest(str(NOW))}", [f"v1={'0' * 64}"] * 15
    verify(BODY, ",".join([f"t={NOW}", *others, mine]), [SECRET.encode()], NOW)
    assert refused(",".join([f"t={NOW}", *others, mine, mine])) == "the header has 17 v1 signatures"


def test_wrong_key_other_body_or_no_secret() -> None:
    header = sign(BODY, OTHER.encode(), NOW)
    assert "by a secret that is known" in refused(header)
    assert "by a secret that is known" in refused(sign(BODY, SECRET.encode(), NOW), body=BODY + b" ")
    assert "by a secret that is known" in refused(header, secrets=())


@pytest.mark.parametrize(
    "signed",
    [
        "-1760000000",
        "",
        "now",
        "1760000000.5",
        "\uff11\uff17\uff16\uff10\uff10\uff10\uff10\uff10\uff10\uff10",
        " 1760000000",
        "1e9",
        "9" * 13,
    ],
)
def test_a_time_that_is_none(signed: str) -> None:
    """Although signed properly with it."""
    assert "not one time" in refused(f"t={signed},v1={digest(signed)}")


def test_two_times() -> None:
    assert "not one time" in refused(f"t={NOW},t={NOW - 1},v1={digest(str(NOW))}")


@pytest.mark.parametrize("away", [-301, 301, -86_400, 86_400])
def test_stale_and_future(away: int) -> None:
    assert "signed more than 300 s from now" in refused(sign(BODY, SECRET.encode(), NOW + away))


@pytest.mark.parametrize("away", [-300, 300, 0])
def test_within_the_tolerance_of_both_directions(away: int) -> None:
    verify(BODY, sign(BODY, SECRET.encode(), NOW + away), [SECRET.encode()], NOW)

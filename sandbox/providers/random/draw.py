"""Drawing values, and what is derived from them."""

from __future__ import annotations

import base64
import binascii
import secrets
import string
import uuid
from dataclasses import dataclass

import bcrypt

from sandbox.providers.interface import ProviderError

SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
"""https://www.pulumi.com/registry/packages/random/api-docs/randompassword (`special`)."""

# bcrypt takes no more bytes than these (the provider cuts there too). The least cost that there is, where the provider
# takes 10: nobody logs in by these hashes, and each would take a sixteenth of a second, three for a tenant.
_BCRYPT_BYTES = 72
_BCRYPT_COST = 4


@dataclass(frozen=True)
class Alphabet:
    """Which characters a text is drawn from, and how many there must be of a kind."""

    lower: bool = True
    upper: bool = True
    numeric: bool = True
    special: bool = True
    override_special: str = ""
    min_lower: int = 0
    min_upper: int = 0
    min_numeric: int = 0
    min_special: int = 0


def text(length: int, alphabet: Alphabet) -> str:
    """A random text of `length` characters, in which each kind has its minimum."""
    special = alphabet.override_special or SPECIAL
    kinds = (
        (string.ascii_lowercase, alphabet.lower, alphabet.min_lower),
        (string.ascii_uppercase, alphabet.upper, alphabet.min_upper),
        (string.digits, alphabet.numeric, alphabet.min_numeric),
        (special, alphabet.special, alphabet.min_special),
    )
    drawn = [secrets.choice(characters) for characters, _, least in kinds for _ in range(least)]
    allowed = "".join(characters for characters, included, _ in kinds if included)
    drawn += [secrets.choice(allowed) for _ in range(length - len(drawn))]
    secrets.SystemRandom().shuffle(drawn)
    return "".join(drawn)


def bcrypt_hash(password: str) -> str:
    """The bcrypt hash of a password, of its first 72 bytes."""
    return bcrypt.hashpw(password.encode()[:_BCRYPT_BYTES], bcrypt.gensalt(_BCRYPT_COST)).decode()


def random_bytes(length: int) -> bytes:
    return secrets.token_bytes(length)


def base64_url(value: bytes) -> str:
    """base64url without padding (RFC 4648, section 5), which is a RandomId's id."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def from_base64_url(value: str) -> bytes:
    """The inverse of `base64_url`."""
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ProviderError(f"{value!r} is no id of a RandomId: base64url without padding is expected") from None


def spellings(value: bytes, prefix: str) -> dict[str, str]:
    """A RandomId's outputs."""
    return {
        "b64Url": prefix + base64_url(value),
        "b64Std": prefix + base64.b64encode(value).decode(),
        "hex": prefix + value.hex(),
        "dec": prefix + str(int.from_bytes(value, "big")),
    }


def random_uuid() -> str:
    return str(uuid.uuid4())


def canonical_uuid(value: str) -> str:
    """A UUID as the provider writes it. Raises ProviderError for any other text."""
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise ProviderError(f"{value!r} is no UUID") from None

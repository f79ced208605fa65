"""Physical names that fit each service's limit and stay different when they are cut."""

from __future__ import annotations

import hashlib
import re

_HASH_LENGTH = 8
_FORBIDDEN = re.compile(r"[^a-z0-9]+")


def physical_name(*parts: str, limit: int) -> str:
    """`parts` joined by hyphens: lower-case letters, digits and single inner hyphens, a letter first, within `limit`.

    A name that is too long, or that had to be altered to be legal, ends in 8 hex digits of the SHA-256 of the
    parts as they were given, so that different parts never meet in one name by cutting or altering.
    This form is the strictest of the services we name: RDS, ElastiCache, S3, IAM and EKS all take it.
    """
    if limit < _HASH_LENGTH + 2:
        raise ValueError(f"a name of at most {limit} characters has no room for a letter, a hyphen and a hash")
    given = "-".join(parts)
    legal = _FORBIDDEN.sub("-", given.lower()).strip("-")
    if not legal or not legal[0].isalpha():
        legal = f"x-{legal}".rstrip("-")
    if legal == given and len(legal) <= limit:
        return legal
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_HASH_LENGTH]
    return f"{legal[: limit - _HASH_LENGTH - 1].rstrip('-')}-{digest}"


def key(text: str) -> str:
    """A short, stable part of a resource's name that stands for `text` (an address, an ARN): 8 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]

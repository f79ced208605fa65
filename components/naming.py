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
    legal = _legal(parts)
    if legal == "-".join(parts) and len(legal) <= limit:
        return legal
    return distinct_name(*parts, limit=limit)


def distinct_name(*parts: str, limit: int) -> str:
    """Like `physical_name`, and always with the hash.

    For names whose parts are chosen apart from each other: cell `prod-t` with tenant `acme` and cell `prod` with
    tenant `t-acme` would otherwise meet.
    """
    if limit < _HASH_LENGTH + 2:
        raise ValueError(f"a name of at most {limit} characters has no room for a letter, a hyphen and a hash")
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_HASH_LENGTH]
    return f"{_legal(parts)[: limit - _HASH_LENGTH - 1].rstrip('-')}-{digest}"


def distinct_prefix(*parts: str, limit: int) -> str:
    """What each `distinct_name` of these parts and more of them begins with."""
    return f"{_legal(parts)[: limit - _HASH_LENGTH - 1].rstrip('-')}-"


def _legal(parts: tuple[str, ...]) -> str:
    legal = _FORBIDDEN.sub("-", "-".join(parts).lower()).strip("-")
    return legal if legal[:1].isalpha() and legal[:1].isascii() else f"x-{legal}".rstrip("-")


def key(text: str) -> str:
    """A short, stable part of a resource's name that stands for `text` (an address, an ARN): 8 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]

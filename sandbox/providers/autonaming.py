"""Physical names for resources whose program gives none.

Source: https://www.pulumi.com/docs/iac/concepts/resources/names/#autonaming
"""

from __future__ import annotations

import hashlib
import secrets

from sandbox.providers.interface import NamingMode, ProviderError, Resource


def autoname(resource: Resource, seed: bytes, *, digits: int, limit: int) -> str:
    """`<logical name>-<hexadecimal digits>` of at most `limit` characters, or what the engine's settings ask for.

    `digits` is 7 for bridged providers such as AWS and 8 for Kubernetes. The same seed gives the same name.
    """
    setting = resource.autonaming
    if setting is not None:
        if setting.mode is NamingMode.DISABLE:
            raise ProviderError(f"{resource.name} has no name and autonaming is off; name it in the program")
        if setting.mode is NamingMode.ENFORCE or (setting.proposed and len(setting.proposed) <= limit):
            return setting.proposed
    random = hashlib.sha256(seed + resource.urn.encode()).hexdigest() if seed else secrets.token_hex(digits)
    return f"{resource.name[: limit - digits - 1]}-{random[:digits]}"

"""Which AWS types take tags: read from the installed SDK into a list, so that the pack need not import the SDK.

`python -m policies.taggable` writes `taggable_types.txt` anew (after an upgrade of pulumi-aws; a test tells when).
"""

from __future__ import annotations

from pathlib import Path

from sandbox.providers.sdk_types import SdkTypes

HEADER = "# AWS resource types that take `tags`, from pulumi_aws {version}. Written by `python -m policies.taggable`.\n"


def listing() -> str:
    """The file's text as the installed SDK has it."""
    sdk = SdkTypes("aws")
    tokens = sorted(token for token in sdk.tokens() if "tags" in sdk.inputs(token))
    return HEADER.format(version=sdk.version) + "".join(f"{token}\n" for token in tokens)


if __name__ == "__main__":
    (Path(__file__).parent / "taggable_types.txt").write_text(listing(), encoding="utf-8")

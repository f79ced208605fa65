"""Which AWS types take tags: read from the installed SDK into a list, so that the pack need not import the SDK.

`python -m policies.taggable` writes `taggable_types.txt` anew (after an upgrade of pulumi-aws; a test tells when).
"""

from __future__ import annotations

import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

HEADER = "# AWS resource types that take `tags`, from pulumi_aws {version}. Written by `python -m policies.taggable`.\n"

# As the SDK's generator writes a resource: its inputs are set from its arguments, what is only told is set to None, and
# its type is the first argument of the class above. Read as text, in a second: to import every module takes fifteen.
_INPUT = '__props__.__dict__["tags"] = tags\n'
_TYPE = re.compile(r"super\(\w+, __self__\).__init__\(\s*'(?P<type>aws:[\w/]+:\w+)'")


def listing() -> str:
    """The file's text as the installed SDK has it. Raises ValueError where a module is not of the form known here."""
    spec = find_spec("pulumi_aws")
    if spec is None or spec.origin is None:
        raise ValueError("pulumi_aws is not installed")
    types = set()
    for module in Path(spec.origin).parent.rglob("*.py"):
        text = module.read_text(encoding="utf-8")
        if _INPUT not in text:
            continue
        found = _TYPE.search(text)
        if found is None:
            raise ValueError(f"{module.name} takes tags and names no type")
        types.add(found["type"])
    return HEADER.format(version=version("pulumi_aws")) + "".join(f"{one}\n" for one in sorted(types))


if __name__ == "__main__":
    (Path(__file__).parent / "taggable_types.txt").write_text(listing(), encoding="utf-8")

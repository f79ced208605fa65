"""What the engine starts: `pulumi preview --policy-pack policies`, with `--policy-pack-config FILE` for other levels.

The file is JSON: `{"all": "advisory"}`, or by policy
`{"required-tags": {"enforcementLevel": "mandatory", "tags": ["product"]}}`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# The analyzer runs this folder as a program, which puts the folder itself on the path and not the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pulumi_policy import PolicyPack

from policies.levels import level_for
from policies.pack import policies
from policies.table import POLICIES

PolicyPack("freehold", policies(POLICIES, level_for(os.environ.get("PULUMI_STACK", ""))))

"""The webhook as a process that reads its secrets anew all the time."""

from __future__ import annotations

import sys

from services.billing import __main__, running

if __name__ == "__main__":
    running._KEPT_SECONDS = 0
    running._LOOK_SECONDS = 0.2
    sys.exit(__main__.main())

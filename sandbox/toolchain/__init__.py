"""The sandbox's tools: found on PATH, or made once into a cache of the user's that all checkouts share."""

from __future__ import annotations

from sandbox.toolchain.install import bin_directory, ensure, locate
from sandbox.toolchain.progress import Reporter

__all__ = ["Reporter", "bin_directory", "ensure", "locate"]

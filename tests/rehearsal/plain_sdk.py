"""Imports the SDK alone, for programs that name no provider's classes."""

from __future__ import annotations


def preload() -> None:
    import pulumi  # noqa: F401

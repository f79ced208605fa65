"""Imports the SDK alone, for programs that name no provider's classes."""

from __future__ import annotations

import importlib


def preload() -> None:
    importlib.import_module("pulumi")

"""How a process of our own is started: a module of the checkout, with the interpreter that runs the supervisor."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping

from sandbox.home import CHECKOUT


def python_command(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def python_environment() -> Mapping[str, str]:
    """Finds the checkout's modules wherever it is started, and the virtual environment's programs (`aws`) first."""
    path = os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)))
    return {"PYTHONPATH": str(CHECKOUT), "PATH": path, "PYTHONUNBUFFERED": "1"}

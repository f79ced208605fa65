"""botocore's models, read once a process."""

from __future__ import annotations

import functools

import botocore.loaders


def read_once() -> None:
    """From now on all sessions share what they read; before moto is imported, which makes three for EC2's regions.

    Each would read EC2's model and the list of endpoints anew: a tenth of the time that moto takes to start.
    """
    botocore.loaders.create_loader = functools.cache(botocore.loaders.create_loader)

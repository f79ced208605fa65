"""A checkout to build from, and the images that are laid out from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.images import containerfile
from tests.images.laid_out import Image, lay_out


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return containerfile.checkout(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def image(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Image]:
    """The image of a target, laid out once."""
    made: dict[str, Image] = {}

    def once(target: str) -> Image:
        if target not in made:
            made[target] = lay_out(target, checkout, tmp_path_factory.mktemp(target))
        return made[target]

    return once

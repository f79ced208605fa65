"""The bytes of a zipped archive that the engine names: an archive itself travels as a path or as a map of assets."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from sandbox.providers.interface import ProviderError, Value
from sandbox.providers.values import HashedArchive, HashedAsset

# The oldest time that a ZIP archive can tell: the same assets give the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)


def zipped(archive: Value) -> bytes:
    """A zip file as it is, or a zip of assets. Raises ProviderError for what cannot be read, or is neither."""
    fields = dict(archive.fields) if isinstance(archive, HashedArchive) else {}
    if isinstance(path := fields.get("path"), str):
        content = _read(path)
        if not zipfile.is_zipfile(io.BytesIO(content)):
            raise ProviderError(f"{path} is no zip file")
        return content
    if isinstance(assets := fields.get("assets"), dict):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
            for name, part in sorted(_flat("", assets)):
                target.writestr(zipfile.ZipInfo(name, _TIME), part)
        return made.getvalue()
    raise ProviderError("the sandbox serves archives of a zip file or of assets only")


def _flat(folder: str, assets: dict[str, Value]) -> Iterator[tuple[str, bytes]]:
    for name, asset in assets.items():
        if isinstance(asset, HashedArchive) and isinstance(below := dict(asset.fields).get("assets"), dict):
            yield from _flat(f"{folder}{name}/", below)
        elif isinstance(asset, HashedAsset):
            fields = dict(asset.fields)
            yield f"{folder}{name}", _read(fields["path"]) if "path" in fields else fields.get("text", "").encode()
        else:
            raise ProviderError(f"{folder}{name}: the sandbox serves assets of a file or of text only")


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ProviderError(f"{path}: {error.strerror}") from error

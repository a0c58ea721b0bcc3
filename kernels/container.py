"""One file that proves itself: a checksum, a manifest, and named arrays.

Layout, all little-endian::

    0   8 bytes   magic, one per kind of file
    8   32 bytes  SHA-256 of everything that follows
    40  uint32    format version
    44  uint64    length of the manifest in bytes
    52            manifest, JSON in UTF-8
    ...           members, each starting at a multiple of 64 bytes

Magic and checksum stay where they are in every later version, so any version can tell a damaged
file from a newer one. Nothing is parsed before the checksum has been verified.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kernels.errors import DamagedFile, NewerFormat, NotOurFile, OlderFormat

FORMAT_VERSION = 2
_DIGEST_AT, _VERSION_AT, _MANIFEST_AT = 8, 40, 52
_ALIGNMENT = 64


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        magic: its first 8 bytes.
        noun: what to call it in a sentence, e.g. "model file".
        renewal: how to get one of the present format, a sentence.
    """

    magic: bytes
    noun: str
    renewal: str


BACKBONE = Kind(b"EA-BBONE", "backbone file", "Export it again with edge-agent train")
MODEL = Kind(b"EA-MODEL", "model file", "Teach it again with edge-agent calibrate")


@dataclass(frozen=True, eq=False)
class Contents:
    """What a verified file holds.

    Attributes:
        manifest: as written, plus ``members``: name, dtype, shape and sha256 of each.
        arrays: the members by name, read-only.
        sha256: checksum of the file, in hex; names this very content.
    """

    manifest: dict[str, Any]
    arrays: dict[str, np.ndarray]
    sha256: str


def write(
    path: Path, kind: Kind, manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> str:
    """Write a file; a reader sees the old one or the whole new one.

    Returns:
        The sha256 of the file, as :func:`read` will report it.
    """
    blobs, members, offset = [], [], 0
    for name, array in arrays.items():
        blob = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        blobs.append(blob + bytes(-len(blob) % _ALIGNMENT))
        members.append(
            {
                "name": name,
                "dtype": array.dtype.newbyteorder("<").str,
                "shape": list(array.shape),
                "offset": offset,
                "sha256": hashlib.sha256(blob).hexdigest(),
            }
        )
        offset += len(blobs[-1])
    text = json.dumps({**manifest, "members": members}, ensure_ascii=False).encode()
    text += b" " * (-(_MANIFEST_AT + len(text)) % _ALIGNMENT)
    rest = b"".join([struct.pack("<IQ", FORMAT_VERSION, len(text)), text, *blobs])
    digest = hashlib.sha256(rest).digest()
    replace_file(path, kind.magic + digest + rest)
    return digest.hex()


def read(path: Path, kind: Kind) -> Contents:
    """Read and verify a file.

    Raises:
        OSError: it cannot be read.
        NotOurFile: it is something else.
        DamagedFile: it is truncated or altered.
        NewerFormat: a later version wrote it.
        OlderFormat: an earlier version wrote it, in a format that is no longer read.
    """
    data = path.read_bytes()
    if data[:8] != kind.magic[: len(data)]:
        raise NotOurFile(f"{path} is not a {kind.noun}")
    digest = hashlib.sha256(data[_VERSION_AT:]).digest()
    if len(data) < _MANIFEST_AT or data[_DIGEST_AT:_VERSION_AT] != digest:
        raise DamagedFile(
            f"{path} is a damaged {kind.noun}: its checksum does not match."
            " Copy it again from where it was made"
        )
    version, length = struct.unpack_from("<IQ", data, _VERSION_AT)
    if version > FORMAT_VERSION:
        raise NewerFormat(
            f"{path} has format version {version}, and this software reads up to {FORMAT_VERSION}."
            " Update edge-agent on this machine"
        )
    if version < FORMAT_VERSION:
        raise OlderFormat(
            f"{path} has format version {version}, and this software reads {FORMAT_VERSION} only."
            f" {kind.renewal}"
        )
    manifest = json.loads(data[_MANIFEST_AT : _MANIFEST_AT + length])
    base = _MANIFEST_AT + length
    arrays = {m["name"]: _member(data, base, m) for m in manifest["members"]}
    return Contents(manifest=manifest, arrays=arrays, sha256=digest.hex())


def _member(data: bytes, base: int, member: dict[str, Any]) -> np.ndarray:
    dtype, shape = np.dtype(member["dtype"]), tuple(member["shape"])
    count = int(np.prod(shape, dtype=np.int64))
    array = np.frombuffer(data, dtype, count, offset=base + member["offset"])
    return array.reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def replace_file(path: Path, data: bytes) -> None:
    """Write a whole file or nothing: a reader never sees half of it, nor does a power cut."""
    descriptor, partial = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name}.", suffix=".partial"
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise

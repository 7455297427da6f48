"""Arrays from untrusted files: .npy, .npz and CSV, their sizes checked before they are made."""

import csv
import io
import tokenize
import warnings
import zipfile
import zlib
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from zkcmp.errors import DecodeError
from zkcmp.model.dataset import MAX_IMAGES, MAX_PIXELS

LABEL_COLUMNS = ("label", "labels", "class", "target", "y")
_MAX_COLUMNS = 1 << 20
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_PROBLEMS = (
    OSError,
    RuntimeError,  # an encrypted member, or (NotImplementedError) an unknown zip version
    EOFError,
    KeyError,
    ValueError,
    TypeError,
    SyntaxError,
    tokenize.TokenError,  # numpy reads a header that is no literal once more, by tokens
    MemoryError,
    zlib.error,
)


def read_npy(path: Path) -> NDArray[Any]:
    """One array of numbers; raises DecodeError."""
    try:
        with open(path, "rb") as stream:
            return _read_array(stream)
    except _PROBLEMS as error:
        raise DecodeError(f"cannot read {path} as .npy: {_reason(error)}") from None


def read_npz(path: Path, names: tuple[str, ...]) -> list[NDArray[Any]]:
    """The arrays of these names; raises DecodeError."""
    try:
        with zipfile.ZipFile(path) as archive:
            known = {name.removesuffix(".npy"): name for name in archive.namelist()}
            missing = [name for name in names if name not in known]
            if missing:
                has = ", ".join(list(known)[:8]) or "none"
                raise ValueError(
                    f"it has no array {' and no '.join(missing)}, but {has}; save it again with "
                    "np.savez(path, images=..., labels=...)"
                )
            arrays = []
            for name in names:
                with archive.open(known[name]) as stream:
                    arrays.append(_read_array(stream, f"array {name} "))
            return arrays
    except zipfile.BadZipFile:
        raise DecodeError(
            f"cannot read {path} as .npz: it is cut off, damaged, or no .npz; save or copy it again"
        ) from None
    except _PROBLEMS as error:
        wanted = " and ".join(names)
        raise DecodeError(f"cannot read {path} as .npz with {wanted}: {_reason(error)}") from None


def _read_array(stream: IO[bytes], name: str = "it ") -> NDArray[Any]:
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of the format is not known")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a header is Python 2's
        shape, in_columns, kind = _HEADERS[version](stream)
    if kind.kind not in "biuf":
        what = "text" if kind.kind in "US" else "objects"
        raise ValueError(f"{name}holds {what}, not numbers; write each class as a number, from 0")
    if len(shape) > 4:
        raise ValueError(f"{name}has {len(shape)} axes, more than images (n, C, H, W) have")
    if any(d < 0 for d in shape) or prod(shape) > MAX_PIXELS:
        raise ValueError(f"it holds more than {MAX_PIXELS} numbers")
    size = prod(shape) * kind.itemsize
    data = stream.read(size + 1)
    if len(data) != size:
        raise ValueError("it is shorter or longer than its header says")
    return np.frombuffer(data, kind).reshape(shape, order="F" if in_columns else "C")


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())[:200]


def decode_csv(data: bytes, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixels (n, features) and labels (n,) of a table of integers, a sample a row.

    The labels are in the column with one of the names LABEL_COLUMNS, or in the first where there
    is no line of names. Raises DecodeError that names the line.
    """
    try:
        rows = csv.reader(io.StringIO(data.decode("utf-8-sig")), strict=True)
        return _table(rows, name)
    except UnicodeDecodeError:
        raise DecodeError(f"{name} is not text; give a CSV file in UTF-8") from None
    except csv.Error as error:
        raise DecodeError(f"{name}: {error}") from None


def _table(rows: Any, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    column, width = 0, 0
    parts: list[NDArray[np.int64]] = []
    for row in rows:
        if not row:
            continue
        if not width:
            width = len(row)
            if not 2 <= width <= _MAX_COLUMNS:
                raise DecodeError(f"{name}: a line needs a label and pixels, with commas between")
            if not row[0].strip().lstrip("-").isdigit():
                column = _label_column(row, name)
                continue
        if len(row) != width:
            raise DecodeError(f"{name}, line {rows.line_num}: {len(row)} values, not {width}")
        if len(parts) == MAX_IMAGES or len(parts) * width > MAX_PIXELS:
            raise DecodeError(f"{name} has more than {MAX_IMAGES} lines or {MAX_PIXELS} pixels")
        parts.append(_integers(row, f"{name}, line {rows.line_num}"))
    if not parts:
        raise DecodeError(f"{name} has no line of a label and pixels")
    table = np.array(parts)
    return np.delete(table, column, axis=1), table[:, column]


def _label_column(names: list[str], name: str) -> int:
    found = [i for i, text in enumerate(names) if text.strip().lower() in LABEL_COLUMNS]
    if len(found) != 1:
        raise DecodeError(f"{name}: call the one column of labels `label`")
    return found[0]


def _integers(row: list[str], where: str) -> NDArray[np.int64]:
    try:
        values = np.array(row, dtype=np.int64)
    except (ValueError, OverflowError):
        odd = next((text for text in row if not text.strip().lstrip("-").isdigit()), row[0])
        raise DecodeError(
            f"{where}: {odd[:20]!r} is not an integer; pixels and labels are integers"
        ) from None
    return values

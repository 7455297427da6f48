"""Arrays that begin on a cache line.

numpy begins its large arrays 16 bytes into a line, so every vector of 64 bytes, and every point
record, lies across two: twice the traffic, and slower loads. (Large arrays it does put on huge
pages, which spares random access most of its address translation.)
"""

import numpy as np

LINE = 64


def empty(shape: tuple[int, ...], dtype: type = np.uint64) -> np.ndarray:
    """np.empty on whole cache lines."""
    return _view(np.empty(_size(shape, dtype), np.uint8), shape, dtype)


def zeros(shape: tuple[int, ...], dtype: type = np.uint64) -> np.ndarray:
    """np.zeros on whole cache lines."""
    return _view(np.zeros(_size(shape, dtype), np.uint8), shape, dtype)


def _size(shape: tuple[int, ...], dtype: type) -> int:
    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize + LINE


def _view(raw: np.ndarray, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    first = -raw.ctypes.data % LINE
    return raw[first : first + len(raw) - LINE].view(dtype).reshape(shape)

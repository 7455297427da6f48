"""IDX and .npz files, and MNIST found only as the canonical files."""

import gzip
import struct

import numpy as np
import pytest

from zkcmp.errors import DecodeError, ZkcmpError
from zkcmp.model import data_files
from zkcmp.model.data_files import decode_idx, load_mnist, load_npz, read_file, save_npz
from zkcmp.model.dataset import TestSet

_IDX = b"\0\0\x08\x03" + struct.pack(">III", 2, 2, 3) + bytes(range(12))


def test_idx_packed_and_unpacked(tmp_path):
    (tmp_path / "a").write_bytes(_IDX)
    (tmp_path / "a.gz").write_bytes(gzip.compress(_IDX))
    for name in ("a", "a.gz"):
        array = decode_idx(read_file(tmp_path / name))
        assert array.tolist() == np.arange(12).reshape(2, 2, 3).tolist()


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\x08", b"\0\0\x09" + _IDX[3:], _IDX[:-1], _IDX + b"\0", _IDX[:9], b"PK" * 9]
)
def test_malformed_idx_is_refused(data):
    with pytest.raises(DecodeError, match="IDX"):
        decode_idx(data)


@pytest.mark.parametrize("data", [gzip.compress(_IDX, mtime=0)[:-9], b"\x1f\x8b" + bytes(30)])
def test_malformed_gzip_is_refused(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(DecodeError, match="cannot read"):
        read_file(tmp_path / "a")


def test_a_gzip_bomb_stops_at_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(data_files, "MAX_PIXELS", 1000)
    (tmp_path / "a").write_bytes(gzip.compress(bytes(1001)))
    with pytest.raises(DecodeError, match="larger than 1000"):
        read_file(tmp_path / "a")


def test_missing_mnist_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.delenv("ZKCMP_DATA", raising=False)
    with pytest.raises(ZkcmpError, match=r"download train-images-idx3-ubyte.*--data.*ZKCMP_DATA"):
        load_mnist()
    monkeypatch.setenv("ZKCMP_DATA", str(tmp_path))
    with pytest.raises(ZkcmpError, match="MNIST not found"):
        load_mnist()


def test_mnist_is_found_by_option_or_variable_and_checked(tmp_path, monkeypatch):
    from hashlib import sha256

    images = b"\0\0\x08\x03" + struct.pack(">III", 2, 28, 28) + bytes(2 * 784)
    labels = b"\0\0\x08\x01" + struct.pack(">I", 2) + bytes([7, 2])
    known = {}
    (tmp_path / "mnist").mkdir()
    for name in data_files.MNIST_SHA256:
        data = images if "images" in name else labels
        known[name] = sha256(data).hexdigest()
        (tmp_path / "mnist" / f"{name}.gz").write_bytes(gzip.compress(data))
    with pytest.raises(ZkcmpError, match="not the canonical MNIST file"):
        load_mnist("t10k", tmp_path / "mnist")
    monkeypatch.setattr(data_files, "MNIST_SHA256", known)
    monkeypatch.setenv("ZKCMP_DATA", str(tmp_path))
    for samples in (load_mnist("t10k", tmp_path / "mnist"), load_mnist("train")):
        assert samples.images.shape == (2, 1, 28, 28)
        assert samples.labels.tolist() == [7, 2]


@pytest.mark.parametrize("largest", [255, 300])
def test_npz_round_trip(tmp_path, largest):
    images = np.arange(12).reshape(2, 1, 2, 3)
    images[0, 0, 0, 0] = largest
    samples = TestSet(images, np.array([3, 4]))
    save_npz(tmp_path / "a.npz", samples)
    assert load_npz(tmp_path / "a.npz") == samples


def test_npz_images_without_channels_get_one(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((2, 3, 4), int), labels=np.zeros(2, int))
    assert load_npz(tmp_path / "a.npz").images.shape == (2, 1, 3, 4)


def _save(path, **arrays):
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b"garbage"),
        lambda path: path.write_bytes(b"PK\x03\x04" + bytes(50)),
        lambda path: _save(path, images=np.zeros((2, 3, 4), int)),
        lambda path: _save(path, images=np.zeros((2, 3, 4)), labels=np.zeros(2, int)),
        lambda path: _save(path, images=np.array([{}]), labels=np.zeros(1, int)),
        lambda path: None,
    ],
    ids=["garbage", "bad zip", "no labels", "floats", "pickle", "missing"],
)
def test_malformed_npz_is_refused(tmp_path, write):
    write(tmp_path / "a.npz")
    with pytest.raises(DecodeError, match=r"a\.npz"):
        load_npz(tmp_path / "a.npz")


@pytest.mark.parametrize(("offset", "value"), [(6, 213), (8, 1), (10, 99)])
def test_npz_of_an_unreadable_zip_kind_is_refused(tmp_path, offset, value):
    """Needed version, encryption flag and compression method in the central directory."""
    np.savez(tmp_path / "a.npz", images=np.zeros((2, 3, 4), int), labels=np.zeros(2, int))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[data.index(b"PK\x01\x02") + offset] = value
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(DecodeError):
        load_npz(tmp_path / "a.npz")

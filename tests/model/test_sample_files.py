"""Test sets as people have them: every format, and every mistake said in one line."""

import gzip
import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zkcmp.errors import DecodeError, ZkcmpError
from zkcmp.model import array_files, image_folder
from zkcmp.model.array_files import decode_csv, read_npy
from zkcmp.model.dataset import TestSet
from zkcmp.model.image_folder import class_labels, read_folder
from zkcmp.model.sample_files import arrange, label_file, read_samples

IMAGES = np.random.default_rng(3).integers(0, 256, (6, 1, 3, 4)).astype(np.uint8)
LABELS = np.array([2, 0, 1, 1, 0, 2], np.uint8)
SAMPLES = TestSet(IMAGES, LABELS)


def _idx(array: np.ndarray) -> bytes:
    dims = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + dims + array.tobytes()


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _csv(header: str, first: bool) -> str:
    lines = [header] if header else []
    for image, label in zip(IMAGES, LABELS, strict=True):
        pixels = ",".join(map(str, image.reshape(-1)))
        lines.append(f"{label},{pixels}" if first else f"{pixels},{label}")
    return "\n".join(lines) + "\n"


_NAMES = ",".join(f"pixel{i}" for i in range(12))


FILES = {
    "idx": {"t-images-idx3-ubyte": _idx(IMAGES[:, 0]), "t-labels-idx1-ubyte": _idx(LABELS)},
    "idx packed": {
        "t-images-idx3-ubyte.gz": gzip.compress(_idx(IMAGES[:, 0]), mtime=0),
        "t-labels-idx1-ubyte": _idx(LABELS),
    },
    "npy": {"images.npy": _npy(IMAGES), "labels.npy": _npy(LABELS)},
    "npy in columns": {
        "images.npy": _npy(np.asfortranarray(IMAGES)),
        "labels.npy": _npy(LABELS.astype(np.int64)[:, None]),
    },
    "npy channels last": {
        "images.npy": _npy(IMAGES.transpose(0, 2, 3, 1)),
        "labels.npy": _npy(LABELS.astype(">i4")),
    },
    "npy flat": {"images.npy": _npy(IMAGES.reshape(6, 12)), "labels.npy": _npy(LABELS)},
    "csv": {"a.csv": _csv("", first=True).encode()},
    "csv with names": {"a.csv": _csv(f"label,{_NAMES}", first=True).encode()},
    "csv, label last": {"a.csv": b"\xef\xbb\xbf" + _csv(f"{_NAMES},Class", first=False).encode()},
    "csv packed": {"a.csv.gz": gzip.compress(_csv("", first=True).encode(), mtime=0)},
}


@pytest.mark.parametrize("key", list(FILES))
def test_every_format_reads_the_same_samples(tmp_path, key):
    for name, data in FILES[key].items():
        (tmp_path / name).write_bytes(data)
    assert read_samples(tmp_path / next(iter(FILES[key])), shape=(1, 3, 4)) == SAMPLES


def test_what_does_not_fit_the_shape_stays_as_it_is():
    flat = np.zeros((5, 7), np.int64)
    assert arrange(flat, (1, 2, 4)).shape == (5, 1, 1, 7)
    assert arrange(flat, None).shape == (5, 1, 1, 7)
    assert arrange(np.zeros((5, 2, 7)), (1, 2, 7)).shape == (5, 1, 2, 7)
    assert arrange(np.zeros((5, 2, 7, 3)), (3, 2, 6)).shape == (5, 2, 7, 3)
    assert arrange(np.zeros(5), (1, 1, 1)).shape == (5, 1, 1, 1)


def test_npz_and_a_file_of_labels_by_name(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", images=IMAGES[:, 0], labels=LABELS)
    assert read_samples(tmp_path / "a.npz") == SAMPLES
    (tmp_path / "x.npy").write_bytes(_npy(IMAGES))
    (tmp_path / "y.npy").write_bytes(_npy(LABELS))
    assert read_samples(tmp_path / "x.npy", tmp_path / "y.npy") == SAMPLES


def test_a_missing_file_of_labels_is_named(tmp_path):
    with pytest.raises(DecodeError, match="name the file of its labels"):
        label_file(tmp_path / "x.npy")
    with pytest.raises(DecodeError, match=r"not beside it in labels\.npy; name their file"):
        label_file(tmp_path / "images.npy")
    with pytest.raises(DecodeError, match="no such file"):
        read_samples(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no line"),
        ("label,a,b\n", "has no line"),
        ("a,b,c\n1,2,3\n", "call the one column of labels `label`"),
        ("label,y,c\n1,2,3\n", "call the one column"),
        ("1,2,3\n1,2\n", "line 2: 2 values, not 3"),
        ("1,2,3\n1,2.5,3\n", "line 2: '2.5' is not an integer"),
        ("1,2,3\n1,,3\n", "line 2: '' is not an integer"),
        ("1,2,99999999999999999999\n", "line 1: .*is not an integer"),
        ("1\n2\n", "needs a label and pixels"),
        ('1,"2\n', "unexpected end"),
        ("\xff\n", "not text"),
    ],
)
def test_mistakes_in_csv_name_the_line(text, message):
    with pytest.raises(DecodeError, match=message) as caught:
        decode_csv(text.encode("latin-1"), "a.csv")
    assert "\n" not in str(caught.value)


def _header(shape: str, kind: str = "|u1") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "npy"),
        (_header("(1000000000000,)"), "holds more than"),
        (_header("(-1,)"), "holds more than"),
        (_header("(4,)"), "shorter or longer"),
        (_header("(4,)") + bytes(5), "shorter or longer"),
        (_header("(4,)", "|O") + bytes(4), "it holds objects, not numbers"),
        (_header("(4,)", "<U3") + bytes(48), "it holds text, not numbers; write each class as"),
        (_header("(1,1,1,1,1)") + bytes(1), "it has 5 axes, more than images"),
        (b"\x93NUMPY\x09\x00" + bytes(90), "not known|version"),
        (_npy(IMAGES).replace(b"'shape'", b"'shame'"), "cannot read"),
    ],
)
def test_harmful_arrays_are_refused(tmp_path, data, message):
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(DecodeError, match=message) as caught:
        read_npy(tmp_path / "a.npy")
    assert "\n" not in str(caught.value)


def test_an_archive_says_which_of_its_arrays_is_text(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, images=IMAGES, labels=np.array(["cat", "dog"])[LABELS % 2])
    with pytest.raises(DecodeError, match="array labels holds text, not numbers"):
        read_samples(path)


def test_an_archive_that_is_cut_off_is_said_to_be(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, images=IMAGES, labels=LABELS)
    whole = path.read_bytes()
    for length in (0, 100, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DecodeError, match=r"a\.npz as \.npz: it is cut off, damaged, or no"):
            read_samples(path)


def test_a_header_that_is_not_closed(tmp_path):
    whole = _npy(IMAGES)
    (tmp_path / "a.npy").write_bytes(whole.replace(b"}", b" "))
    with pytest.raises(DecodeError, match=r"cannot read .*a.npy as .npy: .*EOF"):
        read_npy(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", whole.replace(b"}", b" "))
        archive.writestr("labels.npy", _npy(LABELS))
    with pytest.raises(DecodeError, match=r"cannot read .*a.npz as .npz"):
        read_samples(tmp_path / "a.npz")


@pytest.mark.filterwarnings("error")
def test_a_header_of_python_2_is_read_without_a_warning(tmp_path):
    (tmp_path / "a.npy").write_bytes(_header("(2L,)") + bytes(2))
    assert read_npy(tmp_path / "a.npy").tolist() == [0, 0]


def test_a_bomb_in_an_archive_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(array_files, "MAX_PIXELS", 1000)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", _header("(10000000,)") + bytes(10_000_000))
        archive.writestr("labels.npy", _header("(1,)") + bytes(1))
    with pytest.raises(DecodeError, match="it holds more than 1000 numbers"):
        read_samples(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", images=IMAGES)
    with pytest.raises(DecodeError, match="no array labels"):
        read_samples(tmp_path / "b.npz")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=4))
def test_changed_bytes_of_an_archive_never_escape_as_another_error(tmp_path_factory, changes):
    stream = io.BytesIO()
    np.savez_compressed(stream, images=IMAGES, labels=LABELS)
    data = bytearray(stream.getvalue())
    for position, byte in changes:
        data[position % len(data)] = byte
    path = tmp_path_factory.getbasetemp() / "fuzzed.npz"
    path.write_bytes(bytes(data))
    try:
        read_samples(path, shape=(1, 3, 4))
    except ZkcmpError as error:
        assert "\n" not in str(error)  # noqa: PT017


# --- images ---------------------------------------------------------------------------------------


def _folder(directory, pixels: np.ndarray, labels: np.ndarray, names=str) -> None:
    for i, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        folder = directory / names(int(label))
        folder.mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / f"{i}.png")
    (directory / ".hidden").mkdir()
    (directory / names(int(labels[0])) / ".DS_Store").write_bytes(b"x")


def _ordered(images: np.ndarray) -> TestSet:
    order = np.argsort(LABELS, kind="stable")
    return TestSet(images[order], LABELS[order])


def test_a_folder_of_images_by_label(tmp_path):
    _folder(tmp_path, IMAGES[:, 0], LABELS)
    assert read_samples(tmp_path, shape=(1, 3, 4), n_classes=3) == _ordered(IMAGES)


def test_colours_come_first_and_names_are_numbered(tmp_path):
    pixels = np.random.default_rng(4).integers(0, 256, (6, 3, 4, 3)).astype(np.uint8)
    _folder(tmp_path, pixels, LABELS, lambda label: ["cat", "dog", "emu"][label])
    assert read_samples(tmp_path, n_classes=3) == _ordered(pixels.transpose(0, 3, 1, 2))
    with pytest.raises(DecodeError, match="has 3 classes, the network 4: name the subdirectories"):
        read_samples(tmp_path, n_classes=4)


def test_numbers_with_zeros_in_front_are_names_and_must_be_all_there(tmp_path):
    """00, 01, 02 are numbered in order, which a missing one would shift."""
    _folder(tmp_path, IMAGES[:, 0], LABELS, lambda label: f"0{label}")
    assert read_samples(tmp_path, n_classes=3) == _ordered(IMAGES)
    with pytest.raises(DecodeError, match="has 3 classes, the network 4: name the subdirectories"):
        read_samples(tmp_path, n_classes=4)


def test_sixteen_bits(tmp_path):
    pixels = np.random.default_rng(4).integers(0, 1 << 16, (6, 3, 4)).astype(np.uint16)
    _folder(tmp_path, pixels, LABELS)
    images, _ = read_folder(tmp_path)
    assert (images == _ordered(pixels[:, None]).images).all()


def test_labels_of_names():
    assert class_labels(["10", "2", "0"]) == [10, 2, 0]
    assert class_labels(["b", "a", "10"]) == [2, 1, 0]
    assert class_labels(["01", "1"]) == [0, 1]


def test_images_that_are_not_alike(tmp_path):
    _folder(tmp_path, IMAGES[:, 0], LABELS)
    odd = tmp_path / "0" / "x.png"
    for image, message in (
        (Image.new("L", (5, 3)), "is 1x3x5 of 8 bits, the first image 1x3x4 of 8; make them alike"),
        (Image.new("RGB", (4, 3)), "is 3x3x4 of 8 bits"),
        (Image.new("P", (4, 3)), "has pixels of kind P; convert all images"),
        (Image.new("I;16", (4, 3)), "is 1x3x4 of 16 bits"),
    ):
        image.save(odd)
        with pytest.raises(DecodeError, match=message):
            read_samples(tmp_path)
    odd.write_bytes(b"GIF89a" + bytes(50))
    with pytest.raises(DecodeError, match=r"x\.png is no PNG or JPEG image that can be read"):
        read_samples(tmp_path)


def test_large_images_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    (tmp_path / "0").mkdir()
    Image.new("L", (4000, 3000)).save(tmp_path / "0" / "a.png")
    monkeypatch.setattr(image_folder, "MAX_PIXELS", 10_000_000)
    with pytest.raises(DecodeError, match="is 4000x3000; all images have more than 10000000"):
        read_samples(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DecodeError, match="decompression bomb"):
        read_samples(tmp_path)


def test_empty_folders_and_missing_pillow(tmp_path, monkeypatch):
    with pytest.raises(DecodeError, match="has no subdirectories"):
        read_samples(tmp_path)
    (tmp_path / "0").mkdir()
    with pytest.raises(DecodeError, match="has 0 images"):
        read_samples(tmp_path)
    (tmp_path / "0" / "a.png").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(ZkcmpError, match=r"pip install zkcmp\[images\]"):
        read_samples(tmp_path)

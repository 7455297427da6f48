"""The mistakes that a new user makes first: one exact line each, exit code 2, nothing written."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from deal_stages import Sale
from onnx import TensorProto, helper, numpy_helper

from zkcmp.cli.main import run
from zkcmp.model.data_files import digits_onnx, load_digits_test

DIGITS = str(digits_onnx())
SAMPLES = load_digits_test().take(slice(0, 40))
IMAGES, LABELS = SAMPLES.images.astype(np.uint8), SAMPLES.labels.astype(np.uint8)

COLOUR = "these are colour images and the network reads grey ones; convert them"
SETS = {
    "size": (
        {"images": np.zeros((4, 1, 28, 28), np.uint8), "labels": LABELS[:4]},
        "test set image shape: expected (1, 8, 8), got (1, 28, 28); scale or crop the images to "
        "what the network reads",
    ),
    "colour": (
        {"images": np.zeros((4, 3, 8, 8), np.uint8), "labels": LABELS[:4]},
        f"test set image shape: expected (1, 8, 8), got (3, 8, 8); {COLOUR}",
    ),
    "colour last": (
        {"images": np.zeros((4, 8, 8, 3), np.uint8), "labels": LABELS[:4]},
        f"test set image shape: expected (1, 8, 8), got (8, 8, 3); {COLOUR}",
    ),
    "labels from 1": (
        {"images": IMAGES, "labels": LABELS + 1},
        "test set labels: expected 0..9, got 10; these labels count from 1; subtract 1 from all",
    ),
    "label beyond": (
        {"images": IMAGES[:3], "labels": np.array([0, 3, 12])},
        "test set labels: expected 0..9, got 12; the network knows 10 classes; drop the other "
        "samples",
    ),
    "fractions": (
        {"images": (IMAGES / 16).astype(np.float32), "labels": LABELS},
        "{path}: pixels must be integers, not float32; write what the camera gave, as "
        "np.rint(255 * x).astype(np.uint8)",
    ),
    "whole numbers in floats": (
        {"images": IMAGES.astype(np.float32), "labels": LABELS},
        "{path}: pixels must be integers, not float32; they are whole already, so write "
        "x.astype(np.uint8)",
    ),
    "arrays of other names": (
        {"X": IMAGES, "y": LABELS},
        "cannot read {path} as .npz with images and labels: it has no array images and no labels, "
        "but X, y; save it again with np.savez(path, images=..., labels=...)",
    ),
    "another range": (
        {"images": IMAGES * 15, "labels": LABELS},
        "test set pixels: expected 0..31, got 240; scale them to 0..31, as in training",
    ),
    "one-hot": (
        {"images": IMAGES, "labels": np.eye(10, dtype=np.uint8)[LABELS]},
        "{path}: labels must be one class number an image, not of shape (40, 10); of one-hot rows "
        "take labels.argmax(axis=1)",
    ),
    "rows": (
        {"images": IMAGES.reshape(40, 64)[:, :63], "labels": LABELS},
        "test set image shape: expected (1, 8, 8), got (1, 1, 63); scale or crop the images to "
        "what the network reads",
    ),
    "flat": (
        {"images": IMAGES.reshape(40, 1, 4, 16), "labels": LABELS},
        "test set image shape: expected (1, 8, 8), got (1, 4, 16); as many values in another "
        "order: images.reshape(-1, 1, 8, 8), if the network was trained on them so",
    ),
    "too few labels": (
        {"images": IMAGES[:5], "labels": LABELS[:4]},
        "{path}: there are 5 images and labels of shape (4,); give one label an image",
    ),
    "fractional labels": (
        {"images": IMAGES, "labels": LABELS.astype(np.float64)},
        "{path}: labels must be integers, not float64; write class numbers, as "
        "labels.astype(np.int64)",
    ),
}


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """`refused(*arguments)`: the one line on stderr; nothing else was said or written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZKCMP_DATA", raising=False)

    def check(*arguments: str) -> str:
        before = sorted(tmp_path.rglob("*"))
        assert run(list(arguments)) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("zkcmp: ")
        assert said.err.count("\n") == 1
        assert sorted(tmp_path.rglob("*")) == before
        return said.err.removeprefix("zkcmp: ").rstrip("\n")

    return check


@pytest.mark.parametrize("name", SETS)
def test_data_that_does_not_fit(refused, name: str) -> None:
    arrays, said = SETS[name]
    np.savez("set.npz", **arrays)
    for command in ("evaluate", "quantize"):
        out = ("--out", "out.onnx") if command == "quantize" else ()
        line = refused("model", command, DIGITS, "--test-set", "set.npz", *out)
        assert line == said.format(path="set.npz")


def test_other_orders_are_no_mistake(tmp_path: Path, capsys) -> None:
    """Channels last, and rows of pixels, are put in the network's order."""
    said = []
    for number, shape in enumerate(((40, 1, 8, 8), (40, 8, 8), (40, 8, 8, 1), (40, 64))):
        path = tmp_path / f"{number}.npz"
        np.savez(path, images=IMAGES.reshape(shape), labels=LABELS)
        assert run(["model", "evaluate", DIGITS, "--test-set", str(path), "--json"]) == 0
        said.append(json.loads(capsys.readouterr().out)["confusion"])
    assert said[1:] == said[:1] * 3


def test_labels_left_behind(refused) -> None:
    np.save("pixels.npy", IMAGES)
    np.save("numbers.npy", LABELS)
    evaluate = ("model", "evaluate", DIGITS, "--test-set", "pixels.npy")
    assert refused(*evaluate) == "pixels.npy: name the file of its labels, too, with --labels"
    assert run([*evaluate, "--labels", "numbers.npy"]) == 0


def test_a_file_of_something_else(refused) -> None:
    evaluate = ("model", "evaluate", DIGITS, "--test-set", DIGITS)
    assert refused(*evaluate) == (
        f"{DIGITS} is no test set; give .npz, .npy, .csv, IDX or a folder"
    )


@pytest.mark.parametrize("command", ["buyer inspect", "buyer verify", "seller prove"])
def test_a_folder_that_is_not_there(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "deel"
    home = str(tmp_path / "home")
    assert run([*command.split(), "--deal", str(folder), "--home", home]) == 2
    assert capsys.readouterr().err == (
        f"zkcmp: the offer is missing in {folder}, which is no folder: the seller's command "
        "`zkcmp seller seal` supplies it\n"
    )


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("seller prove", "{home} knows nothing of the offer in {deal}; name the private directory"),
        ("buyer verify", "nothing was requested in {deal} by {home}; `zkcmp buyer request` begins"),
    ],
)
def test_another_private_directory(
    sale: Callable[[str], Sale],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    said: str,
) -> None:
    """The offer is in the folder, and this directory has no deal that began with it."""
    deal, home = sale("verified").deal, tmp_path / "other"
    assert run([*command.split(), "--deal", str(deal), "--home", str(home)]) == 2
    line = capsys.readouterr().err
    assert said.format(home=home, deal=deal) in line
    assert "--home" in line


def test_fewer_samples_than_asked_for(refused) -> None:
    evaluate = ("model", "evaluate", DIGITS, "--test-set", "digits")
    assert refused(*evaluate, "--images", "5000") == (
        "digits has only 360 images, and --images 5000 were asked for; ask for fewer"
    )
    assert refused(*evaluate, "--images", "300", "--skip", "100") == (
        "digits has only 360 images, and --skip 100 and 300 more were asked for; ask for fewer"
    )
    request = ("buyer", "request", "--deal", "deal", "--home", "home", "--accuracy", "0.9")
    assert refused(*request, "--test-set", "digits", "--images", "361").startswith(
        "digits has only 360 images"
    )


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("95", "accuracy 95 is not above 0 and at most 1 (100%); for percent write 95%"),
        ("950%", "accuracy 950% is not above 0 and at most 1 (100%)"),
        ("0", "accuracy 0 is not above 0 and at most 1 (100%)"),
        ("0,95", "accuracy '0,95' is not a number like 0.95 or 95%"),
    ],
)
def test_an_accuracy_that_means_nothing(refused, typed: str, said: str) -> None:
    request = ("buyer", "request", "--deal", "deal", "--home", "home", "--test-set", "digits")
    assert refused(*request, "--accuracy", typed) == said


def test_a_drop_that_means_nothing(refused) -> None:
    quantize = ("model", "quantize", DIGITS, "--test-set", "digits", "--out", "out.onnx")
    assert refused(*quantize, "--max-drop", "5") == (
        "drop 5 is not below 1 (100%); for percent write 5%"
    )


def _dense(seed: int, n_out: int, n_in: int) -> onnx.TensorProto:
    weight = np.random.default_rng(seed).normal(0, 1, (n_out, n_in)).astype(np.float32)
    return numpy_helper.from_array(weight, f"w{seed}")


def _model(nodes: list, tensors: list, opset: int = 13, input_bits: str = "5") -> onnx.ModelProto:
    ends = [("x", ["N", 1, 8, 8]), ("y", ["N", 3])]
    image, logits = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends
    )
    graph = helper.make_graph(nodes, "g", [image], [logits], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    if input_bits:
        helper.set_model_props(model, {"zkcmp.input_bits": input_bits})
    return model


def _linear() -> tuple[list, list]:
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("Gemm", ["f", "w1"], ["y"], transB=1),
    ]
    return nodes, [_dense(1, 3, 64)]


def _sold(model: str) -> list[tuple[str, ...]]:
    """Every command that reads a network."""
    return [
        ("model", "inspect", model),
        ("model", "export", model, "--out", "out.onnx"),
        ("seller", "seal", model, "--deal", "deal", "--home", "home", "--price-sat", "10000"),
        ("estimate", model),
    ]


def test_a_file_that_is_not_there_or_no_network(refused) -> None:
    Path("corrupt.onnx").write_bytes(b"PK\3\4 this is a zip file")
    Path("short.onnx").write_bytes(digits_onnx().read_bytes()[:1000])
    for name, said in (
        ("absent.onnx", "cannot read absent.onnx: No such file or directory"),
        (
            "corrupt.onnx",
            "corrupt.onnx: not an ONNX file, or one cut short; export the network again",
        ),
        ("short.onnx", "short.onnx: not an ONNX file, or one cut short; export the network again"),
    ):
        for command in _sold(name):
            assert refused(*command) == said


def test_an_old_opset(refused) -> None:
    onnx.save(_model(*_linear(), opset=5), "old.onnx")
    assert refused("model", "inspect", "old.onnx") == (
        "old.onnx: the ONNX file must use one standard opset, 7 or later, not 5; export it again "
        "with opset 13"
    )


def test_weights_left_behind(refused) -> None:
    onnx.save(
        _model(*_linear()), "moved.onnx", save_as_external_data=True, location="w", size_threshold=0
    )
    Path("w").unlink()
    assert refused("model", "inspect", "moved.onnx") == (
        "moved.onnx: tensor 'w1' is stored in 'w', which is no file beside the model; put it "
        "there, or save the model in one file"
    )


def test_a_relu_network_hears_of_every_such_layer(refused) -> None:
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("Gemm", ["f", "w1"], ["a"], "fc1", transB=1),
        helper.make_node("Relu", ["a"], ["b"], "act1"),
        helper.make_node("Gemm", ["b", "w2"], ["c"], "fc2", transB=1),
        helper.make_node("Relu", ["c"], ["d"], "act2"),
        helper.make_node("LSTM", ["d", "w2", "w2"], ["y"], "rnn"),
    ]
    onnx.save(_model(nodes, [_dense(1, 3, 64), _dense(2, 3, 3)]), "relu.onnx")
    square = "not yet; a square activation trains nearly as well, see experiments/train_mnist.py"
    line = refused("model", "inspect", "relu.onnx")
    assert line.startswith(
        f"relu.onnx: unsupported ONNX nodes: 'act1' Relu: {square}; 'act2' Relu: {square}; "
        "'rnn' LSTM -- supported are Conv, Gemm, MatMul, "
    )


def test_a_file_that_does_not_say_how_pixels_enter(refused, capsys) -> None:
    """And the options that it asks for are what makes it pass."""
    onnx.save(_model(*_linear(), input_bits=""), "plain.onnx")
    for command in _sold("plain.onnx"):
        assert refused(*command) == (
            "the file does not say how wide a pixel is: `zkcmp model quantize MODEL --input-bits 8 "
            "--test-set SAMPLES --out NEW` writes one that does, for pixels 0 to 255; with "
            "--divide-by 255 if it was trained on fractions"
        )
    options = ("--divide-by", "255", "--mean", "0.1307", "--std", "0.3081")
    assert run(["model", "inspect", "plain.onnx", *options]) == 0
    assert "pixels 0 to 255" in capsys.readouterr().out
    assert refused("model", "inspect", "plain.onnx", "--mean", "a half") == (
        "Invalid value: --mean 'a half' is not a number, or one a channel as 0.5,0.4; see "
        "`zkcmp model inspect --help`"
    )
    assert refused("model", "inspect", "plain.onnx", "--divide-by", "255", "--std", "1,2") == (
        "normalisation scale has 2 numbers for 1 channels"
    )


def _deep(n_squares: int) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("Gemm", ["f", "w1"], ["h0"], transB=1),
    ]
    for i in range(n_squares):
        out = "y" if i == n_squares - 1 else f"h{i + 1}"
        nodes.append(helper.make_node("Mul", [f"h{i}", f"h{i}"], [f"s{i}"]))
        nodes.append(helper.make_node("Gemm", [f"s{i}", "w2"], [out], transB=1))
    return _model(nodes, [_dense(1, 3, 64), _dense(2, 3, 3)])


def test_a_network_that_could_wrap_the_field(refused) -> None:
    onnx.save(_deep(5), "deep.onnx")
    for command in _sold("deep.onnx"):
        assert refused(*command) == (
            "accumulators of square8: expected values below r/2 (253 bits), got 408 bits; this "
            "network could wrap the field; use fewer bits, smaller layers or fewer squares"
        )


def test_weights_so_coarse_that_the_accuracy_is_lost(refused) -> None:
    quantize = ("model", "quantize", DIGITS, "--test-set", "digits", "--out", "out.onnx")
    line = refused(*quantize, "--weight-bits", "2")
    assert line.startswith("these widths lose ")
    assert line.endswith(
        "of the float accuracy 97.78% on 360 samples, more than 0.2%; leave --weight-bits out to "
        "search, or allow a larger --max-drop"
    )
    assert refused(*quantize, "--weight-bits", "8,8,8") == (
        "weight_bits must be 2 widths from 2 to 32, one a weight tensor"
    )
    assert refused(*quantize, "--weight-bits", "eight") == (
        "Invalid value: --weight-bits 'eight' is not a width, or widths as 8,2,8; see "
        "`zkcmp model quantize --help`"
    )


def test_a_fingerprint_without_quotes(refused) -> None:
    typed = "buyer request --deal D --test-set digits --accuracy 80% --seller 76ec 1606 54f5"
    assert refused(*typed.split()) == (
        "a fingerprint has blanks; put it in quotes, or leave them out; see `zkcmp buyer request "
        "--help`"
    )


@pytest.mark.parametrize("number", ["0", "-1"])
def test_a_threshold_of_nothing(refused, number: str) -> None:
    typed = f"buyer request --deal D --test-set digits --threshold {number}"
    assert refused(*typed.split()) == (
        "Invalid value for '--threshold': Input should be greater than or equal to 1; see `zkcmp "
        "buyer request --help`"
    )


@pytest.mark.parametrize("name", ["delivery (1).zkcmp", "delivery.zkcmp.part"])
def test_a_file_under_the_name_of_a_second_download(name: str, tmp_path: Path) -> None:
    from zkcmp.exchange.deal import missing
    from zkcmp.exchange.messages.envelope import Kind

    (tmp_path / "offer.zkcmp").touch()
    (tmp_path / "delivery.zkcmp").symlink_to("nowhere")
    supplied = "the seller's command `zkcmp seller prove` supplies it"
    assert str(missing(Kind.DELIVERY, tmp_path)).endswith(supplied)
    (tmp_path / name).touch()
    assert str(missing(Kind.DELIVERY, tmp_path)) == (
        f"the delivery is missing in {tmp_path}: {supplied}; if that is {name}, rename it to "
        "delivery.zkcmp"
    )


def test_a_passphrase_file_that_is_elsewhere(refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKCMP_PASSPHRASE_FILE", "seller.pass")
    Path("seller").mkdir(mode=0o700)
    (Path("seller") / "deals").mkdir(mode=0o700)
    (Path("seller") / "lock").touch()
    (Path("seller") / "passphrase").write_bytes(_header())
    status = ("seller", "status", "--home", "seller")
    assert refused(*status) == (
        "seller.pass, which ZKCMP_PASSPHRASE_FILE names, cannot be read from here: No such file or "
        "directory; give the whole path of a file with the passphrase"
    )
    Path("seller.pass").write_text("another one\n")
    Path("seller.pass").chmod(0o600)
    where = Path("seller").absolute()
    assert refused(*status) == (
        f"that is not the passphrase of {where}; nothing was changed; it came from seller.pass, "
        "which ZKCMP_PASSPHRASE_FILE names"
    )


def _header() -> bytes:
    from zkcmp.exchange.private.keyring import Keyring

    return Keyring.new("the right one", log2_n=10).encode()


def _locked(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """What a file system says that is mounted read-only; to root, modes say nothing."""
    possible = os.access

    def access(path: Path, mode: int) -> bool:
        return not (mode & os.W_OK and Path(path) == folder) and possible(path, mode)

    monkeypatch.setattr(os, "access", access)


def test_a_deal_folder_that_cannot_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is begun for it; a test set would be spent."""
    deal, seller, buyer = tmp_path / "deal", tmp_path / "seller", tmp_path / "buyer"
    seal = ["seller", "seal", DIGITS, "--deal", str(deal), "--price-sat", "2000"]
    ask = ["buyer", "request", "--deal", str(deal), "--test-set", "digits", "--threshold", "1"]
    for given, home, place in ((seal, seller, tmp_path), (ask, buyer, deal)):
        given += ["--home", str(home)]
        with monkeypatch.context() as mounted:
            _locked(mounted, place)
            assert run(given) == 2
        assert capsys.readouterr().err == (
            f"zkcmp: {place} cannot be written to; change that, or use another deal folder\n"
        )
        assert list((home / "deals").iterdir()) == []
        assert run(given) == 0
        capsys.readouterr()


def test_a_place_for_a_network_that_cannot_be_written_to(
    refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _locked(monkeypatch, tmp_path)
    line = refused("model", "export", DIGITS, "--out", "out.onnx")
    assert line == f"{tmp_path} cannot be written to; name a file elsewhere"


def test_a_passphrase_to_be_set_without_a_terminal(tmp_path: Path, capsys) -> None:
    home = tmp_path / "seller"
    assert run(["seller", "passphrase", "--home", str(home)]) == 2
    assert capsys.readouterr().err == (
        f"zkcmp: the new passphrase of {home} is to be typed: run this in a terminal, or name a "
        "file of it with --new-file\n"
    )


def test_a_set_with_images_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("once.npz", images=IMAGES, labels=LABELS)
    np.savez("twice.npz", images=np.tile(IMAGES, (2, 1, 1, 1)), labels=np.tile(LABELS, 2))
    said = "caution    40 images of the set repeat others, and count again\n"
    for name in ("once", "twice"):
        assert run(["model", "evaluate", DIGITS, "--test-set", f"{name}.npz"]) == 0
        assert (said in capsys.readouterr().out) == (name == "twice")
    deal = ("--deal", "deal")
    assert run(["seller", "seal", DIGITS, *deal, "--price-sat", "2000", "--home", "seller"]) == 0
    ask = ["buyer", "request", *deal, "--test-set", "twice.npz", "--threshold", "1"]
    capsys.readouterr()
    assert run([*ask, "--home", "buyer"]) == 0
    assert said in capsys.readouterr().out

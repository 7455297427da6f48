"""`zkcmp model`: what each command prints and writes, and that a refusal writes nothing."""

import builtins
import json
from pathlib import Path

import numpy as np
import pytest

from zkcmp.cli.main import run
from zkcmp.model.bounds import bounds
from zkcmp.model.data_files import digits_onnx, load_digits_test, save_npz
from zkcmp.model.dataset import TestSet
from zkcmp.model.onnx import read_onnx
from zkcmp.model.quantize import quantize

DIGITS = str(digits_onnx())


class Run:
    """Runs one command; `out`, `err` and `code` are of the last one."""

    def __init__(self, capsys: pytest.CaptureFixture[str]):
        self.capsys = capsys
        self.code, self.out, self.err = 0, "", ""

    def __call__(self, *arguments: str) -> "Run":
        self.code = run(["model", *arguments])
        self.out, self.err = self.capsys.readouterr()
        return self

    @property
    def json(self) -> dict:
        assert self.code == 0, self.err
        assert len(self.out.splitlines()) == 1
        return json.loads(self.out)


@pytest.fixture
def model(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)


def test_inspect_shows_layers_bounds_and_costs(model: Run) -> None:
    text = model("inspect", DIGITS, "--images", "3").out
    assert "float network\n" in text
    assert "input      1x8x8, pixels 0 to 31\n" in text
    assert "classes    10\n" in text
    network = quantize(read_onnx(DIGITS))
    last = bounds(network.architecture)[-1].bit_length()
    row = next(line for line in text.splitlines() if line.strip().startswith("dense3"))
    assert row.split() == ["dense3", "10", "810", "8,", "28", str(last)]
    assert "a proof about 3 images" in text
    for method in ("libra hyrax", "libra zkvpd", "freivalds", "full"):
        assert f" {method} " in text


def test_inspect_as_json(model: Run) -> None:
    told = model("inspect", DIGITS, "--weight-bits", "5,6", "--json").json
    network = quantize(read_onnx(DIGITS), [5, 6])
    assert told["architecture"] == json.loads(network.architecture.to_bytes())
    assert told["architecture_digest"] == network.architecture.digest.hex()
    assert told["file"] == "float"
    assert told["costs"][0]["method"] == "libra hyrax"


def test_quantize_writes_the_network_that_it_reports(model: Run, tmp_path: Path) -> None:
    out = tmp_path / "small.onnx"
    told = model("quantize", DIGITS, "--test-set", "digits", "--out", str(out), "--json").json
    network = quantize(read_onnx(out))
    samples = load_digits_test()
    right = int((network.predict(samples.images) == samples.labels).sum())
    assert told["integer_right"] == right >= told["float_right"]
    assert told["written"] == str(out)
    assert told["sealed_bits"] < 7120 * 0.8  # 8 bits for all weights
    assert [t["bits"] for t in told["tensors"]] == [
        spec.bits for spec in network.architecture.tensors()
    ]
    assert np.trace(told["confusion"]) == right
    assert np.sum(told["confusion"]) == told["samples"] == 360
    assert (out.stat().st_mode & 0o777) == 0o600  # weights are the seller's secret


def test_what_was_quantised_is_evaluated_as_it_is(model: Run, tmp_path: Path) -> None:
    out = tmp_path / "five.onnx"
    text = model("export", DIGITS, "--out", str(out), "--weight-bits", "5,6").out
    assert text == f"written    {out}: 860 integer weights, raw pixels in\n"
    assert quantize(read_onnx(out)) == quantize(read_onnx(DIGITS), [5, 6])
    told = model("evaluate", str(out), "--test-set", "digits", "--images", "100", "--json").json
    assert told["same_prediction"] == told["samples"] == 100
    text = model("evaluate", str(out), "--test-set", "digits", "--skip", "300").out
    assert "of 60; the same answer on 100.00%" in text
    assert model("quantize", str(out), "--test-set", "digits", "--out", str(out)).code == 2
    assert "exists; name another file, or say --overwrite" in model.err
    overwrite = ("--out", str(out), "--overwrite")
    assert model("quantize", str(out), "--test-set", "digits", *overwrite).code == 0


def test_given_widths_that_lose_too_much_are_refused(model: Run, tmp_path: Path) -> None:
    out = tmp_path / "coarse.onnx"
    arguments = ("quantize", DIGITS, "--test-set", "digits", "--out", str(out))
    assert model(*arguments, "--weight-bits", "2").code == 2
    assert model.err.startswith("zkcmp: these widths lose ")
    assert "allow a larger --max-drop" in model.err
    assert not model.out
    assert not out.exists()
    assert model(*arguments, "--weight-bits", "2", "--max-drop", "95%").code == 0


def test_the_figure_is_a_png(model: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figure = tmp_path / "report.png"
    arguments = ("evaluate", DIGITS, "--test-set", "digits", "--figure", str(figure))
    assert model(*arguments).code == 0
    assert figure.read_bytes().startswith(b"\x89PNG\r\n")
    assert model(*arguments).code == 2
    assert "exists; name another file" in model.err


def test_without_matplotlib_a_figure_is_refused_before_any_work(
    model: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: object):
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    figure, out = tmp_path / "report.png", tmp_path / "out.onnx"
    model(
        *("quantize", DIGITS, "--test-set", "digits", "--out", str(out)),
        *("--figure", str(figure)),
    )
    assert model.code == 2
    assert model.err == (
        "zkcmp: a figure needs matplotlib; install the extra `zkcmp[plots]`, or leave --figure "
        "out\n"
    )
    assert not list(tmp_path.iterdir())


def test_pixels_that_look_like_cut_fractions_are_cautioned(model: Run, tmp_path: Path) -> None:
    samples = load_digits_test().take(slice(0, 20))
    path = tmp_path / "cut.npz"
    save_npz(path, TestSet(samples.images // 16, samples.labels))
    assert "were\n           fractions from 0 to 1 cut to integers?" in (
        model("evaluate", DIGITS, "--test-set", str(path)).out
    )


def test_many_classes_show_the_worst_confusions_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from zkcmp.cli.model.tables import say_accuracy
    from zkcmp.model.report import QuantisationReport

    confusion = np.diag(np.full(30, 5))
    confusion[3, 4], confusion[7, 1] = 2, 9
    report = QuantisationReport(161, 150, 150, 161, confusion, (), 10)
    assert list(report.confusions()) == [(7, 1, 9), (3, 4, 2)]
    say_accuracy(report)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:] == ["confused   7 called 1: 9 times", "confused   3 called 4: 2 times"]


@pytest.mark.parametrize("name", ["quantize", "export"])
def test_output_that_cannot_be_written_is_refused_before_any_work(
    model: Run, tmp_path: Path, name: str
) -> None:
    samples = ("--test-set", "digits") if name == "quantize" else ()
    for out, said in ((tmp_path, "is a directory"), (tmp_path / "no" / "x", "is no directory")):
        assert model(name, DIGITS, *samples, "--out", str(out)).code == 2
        assert said in model.err
        assert len(model.err.splitlines()) == 1

"""Files of one party alone that lie in the deal folder, by mistake: refused, nothing is written."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from deal_stages import PRICE_SAT, Result, Sale

import zkcmp
from zkcmp.cli.main import run
from zkcmp.errors import DealError
from zkcmp.exchange.shared_places import place_around

At = Callable[[str], Sale]
SHARED = "which the other side reads"


def command(deal: Sale, *arguments: str | Path) -> Result:
    """With exactly these arguments."""
    assert deal.capsys is not None
    deal.capsys.readouterr()
    code = run([str(argument) for argument in arguments])
    return Result(code, *deal.capsys.readouterr())


def seal(deal: Sale, model: Path, folder: Path, home: Path) -> Result:
    places = ("--deal", folder, "--home", home)
    return command(deal, "seller", "seal", model, *places, "--price-sat", str(PRICE_SAT))


def request(deal: Sale, home: Path, *samples: str | Path) -> Result:
    places = ("--deal", deal.deal, "--home", home)
    return command(deal, "buyer", "request", *places, "--threshold", "2", "--test-set", *samples)


@pytest.mark.parametrize("where", ["model.onnx", "kept/here/model.onnx", "link.onnx"])
def test_a_network_that_is_to_be_sealed(sale: At, where: str) -> None:
    """What it would win: the network, for whoever gets the folder."""
    deal = sale("ready")
    model, original = deal.deal / where, deal.root / "model.onnx"
    model.parent.mkdir(parents=True)
    if where == "link.onnx":
        model.symlink_to(original)
    else:
        shutil.copy(original, model)
    (deal.root / "alias").symlink_to(deal.deal)
    before = deal.tree()
    for folder in (deal.deal, deal.root / "alias"):
        for path in (model, deal.root / "alias" / where):
            result = seal(deal, path, folder, deal.root / "seller")
            assert result.refused, result
            assert SHARED in result.err
    with pytest.raises(DealError, match=SHARED):
        zkcmp.Seller(deal.root / "seller").seal(deal.deal, model, PRICE_SAT)
    assert deal.tree() == before
    assert seal(deal, original, deal.deal, deal.root / "seller").code == 0


def test_a_network_in_the_folder_of_another_deal(sale: At) -> None:
    deal = sale("ready")
    model = deal.root / "other" / "model.onnx"
    shutil.copy(deal.root / "model.onnx", model)
    result = seal(deal, model, deal.deal, deal.root / "seller")
    assert result.refused, result
    assert f"is in the deal folder {deal.root / 'other'}, {SHARED}" in result.err


def test_a_test_set_that_was_not_sent(sale: At) -> None:
    """What it would win: the samples, for a seller who answers nothing, and for everybody else."""
    deal = sale("sealed")
    own = deal.root / "samples1.npz"
    inside = deal.deal / "samples1.npz"
    shutil.copy(own, inside)
    with np.load(own) as arrays:
        np.save(deal.root / "images.npy", arrays["images"])
        np.save(deal.deal / "labels.npy", arrays["labels"])
    before = deal.tree()
    labels = ("--labels", deal.deal / "labels.npy")
    for samples in ((inside,), (deal.root / "images.npy", *labels)):
        result = request(deal, deal.root / "buyer", *samples)
        assert result.refused, result
        assert SHARED in result.err
    assert deal.tree() == before
    assert request(deal, deal.root / "buyer", own).code == 0


@pytest.mark.parametrize("verb", ["quantize", "export"])
def test_a_quantised_network(sale: At, verb: str) -> None:
    deal = sale("sealed")
    out = deal.deal / "small.onnx"
    samples = ("--test-set", deal.root / "samples1.npz") if verb == "quantize" else ()
    before = deal.tree()
    result = command(deal, "model", verb, deal.root / "model.onnx", "--out", out, *samples)
    assert result.refused, result
    assert SHARED in result.err
    assert deal.tree() == before


@pytest.mark.parametrize("overlap", ["inside", "same", "around"])
def test_a_private_directory_that_is_yet_to_be_made(sale: At, overlap: str) -> None:
    """Not even its keys: what lay in a shared folder once may have been copied from there."""
    deal = sale("sealed")
    home = {"inside": deal.deal / "home", "same": deal.deal, "around": deal.root}[overlap]
    before = deal.tree()
    results = [
        seal(deal, deal.root / "model.onnx", deal.deal, home),
        request(deal, home, deal.root / "samples1.npz"),
    ]
    for result in results:
        assert result.refused, result
        assert "overlap; choose a deal folder outside of it" in result.err
    assert deal.tree() == before


def test_a_private_directory_that_is_recovered(sale: At) -> None:
    deal = sale("proved")
    rescue = deal.root / "rescue"
    assert deal.run("seller", "rescue", "--out", str(rescue)).code == 0
    before = deal.tree()
    home = deal.deal / "home"
    places = ("--home", home, "--deal", deal.deal, "--chain-dir", deal.root / "chain")
    result = command(deal, "recover", rescue, *places)
    assert result.refused, result
    assert "overlap" in result.err
    assert deal.tree() == before


def test_the_folder_of_a_deal_on_a_disk_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops no other deal."""
    gone, shared, alias = tmp_path / "gone", tmp_path / "shared", tmp_path / "alias"
    shared.mkdir()
    alias.symlink_to(shared)
    stat = os.stat

    def stale(path: str | Path, *arguments: object, **options: object) -> os.stat_result:
        if str(path) == str(gone):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
        return stat(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", stale)
    assert place_around(tmp_path / "mine", [gone, shared]) is None
    assert place_around(alias / "mine", [gone, shared]) == shared
    assert place_around(gone / "mine", [gone, shared]) == gone

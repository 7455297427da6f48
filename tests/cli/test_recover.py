"""A machine is lost, and a rescue file settles the deal from another one, where that is safe."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from deal_stages import NETWORK, PRICE_SAT, STAGES, Result, Sale
from interrupted_broadcast import interrupt
from settling import chain_of, fee_sat, lock_place

from bitcoin_scripts import fees
from bitcoin_scripts.chain.kernel import KernelChain
from zkcmp.cli.main import run
from zkcmp.exchange import rescue
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.deal import SellerState, load_state, save_state
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.private import rescue_file
from zkcmp.exchange.private.keyring import Keyring
from zkcmp.exchange.seller import Seller
from zkcmp.model.onnx import read_onnx
from zkcmp.model.quantize import quantize

FAST = 4
WORDS = "six words that nobody else knows"
BLOCKS = 144
PARTIES = ("seller", "buyer")


def rescued(sale: Sale, party: str, name: str = "file") -> Path:
    """The deal's rescue file, as of now."""
    path = sale.root / f"{party}-{name}.rescue"
    assert sale.run(party, "rescue", "--out", str(path)).code == 0
    return path


def kept(sale: Sale, party: str) -> Path:
    """The rescue file that the party's commands wrote by themselves."""
    return sale.root / party / "rescue" / sale.private(party).name


def recover(sale: Sale, file: Path, *options: str, home: str = "second") -> Result:
    sale.capsys.readouterr()
    given = ["recover", str(file), "--home", str(sale.root / home)]
    code = run([*given, "--chain-dir", str(sale.root / "chain"), *options])
    return Result(code, *sale.capsys.readouterr())


def recover_bought(sale: Sale, file: Path, *options: str, home: str = "second") -> Result:
    return recover(sale, file, "--out", str(sale.root / "bought.onnx"), *options, home=home)


def lose(sale: Sale, party: str) -> None:
    shutil.rmtree(sale.root / party)


def mine(sale: Sale, blocks: int) -> None:
    assert sale.run("chain", "mine", str(blocks)).code == 0


def has_the_network(sale: Sale) -> bool:
    path = sale.root / "bought.onnx"
    return path.exists() and quantize(read_onnx(path)) == NETWORK


def on_chain(sale: Sale, secret: bytes) -> bool:
    return secret in (sale.root / "chain" / "journal").read_bytes()


def with_folder(sale: Sale) -> tuple[str, str]:
    return "--deal", str(sale.deal)


@pytest.mark.parametrize("stage", STAGES)
def test_seller_on_another_machine(sale: Callable[[str], Sale], stage: str) -> None:
    deal = sale(stage)
    file = rescued(deal, "seller")
    lose(deal, "seller")
    result = recover(deal, file, *with_folder(deal))
    if stage in ("locked", "redeemed", "opened"):
        assert result.code == 0, result
        assert recover(deal, file, *with_folder(deal)).code == 0
        mine(deal, 1)
        assert deal.open().code == 0
        assert has_the_network(deal)
    else:
        assert result.code == 2
        assert result.err.count("\n") == 1
        assert not any("lock" in path.name for path in deal.deal.iterdir())


@pytest.mark.parametrize("stage", STAGES)
def test_buyer_on_another_machine(sale: Callable[[str], Sale], stage: str) -> None:
    deal = sale(stage)
    file = rescued(deal, "buyer") if stage != "sealed" else None
    if file is None:
        assert deal.run("buyer", "rescue", "--out", str(deal.root / "x")).refused
        return
    lose(deal, "buyer")
    if stage == "opened":
        (deal.root / "bought.onnx").unlink()
    result = recover_bought(deal, file)
    if stage in ("redeemed", "opened"):
        assert result.code == 0, result
        assert has_the_network(deal)
        assert recover_bought(deal, file).code == 0
    elif stage == "locked":
        assert (result.code, result.err.count("\n")) == (2, 1)
        mine(deal, BLOCKS)
        assert "refunded" in recover_bought(deal, file).out
        mine(deal, 1)
        assert "refunded" in recover_bought(deal, file).out
    else:
        assert (result.code, result.err.count("\n")) == (2, 1)


@pytest.mark.parametrize("party", PARTIES)
def test_file_that_was_written_by_itself_will_do(sale: Callable[[str], Sale], party: str) -> None:
    """It is there before the delivery, and the lock, are with the other party."""
    deal = sale("locked")
    copy = deal.root / "copy.rescue"
    shutil.copyfile(kept(deal, party), copy)
    lose(deal, party)
    if party == "seller":
        assert recover(deal, copy, *with_folder(deal)).code == 0
        assert deal.open().code == 0
    else:
        assert deal.run("seller", "redeem").code == 0
        assert recover_bought(deal, copy).code == 0
    assert has_the_network(deal)


@pytest.mark.parametrize("when", ["before", "after"])
def test_kept_file_of_a_lock_whose_sender_died(sale: Callable[[str], Sale], when: str) -> None:
    deal = sale("verified")
    interrupt(deal, when, "buyer", "lock")
    copy = deal.root / "copy.rescue"
    shutil.copyfile(kept(deal, "buyer"), copy)
    lose(deal, "buyer")
    mine(deal, BLOCKS + 1)
    result = recover_bought(deal, copy)
    if when == "after":
        assert "refunded" in result.out
    else:
        assert (result.code, result.err.count("\n")) == (2, 1)
        assert "the chain does not have our lock" in result.err


@pytest.mark.parametrize("stage", ["sealed", "proved"])
def test_old_file_of_the_seller(sale: Callable[[str], Sale], tmp_path: Path, stage: str) -> None:
    """Later state: the claim is on the chain. What can be claimed is; nothing is answered again."""
    old = rescued(sale(stage), "seller")
    kept_file = tmp_path / "old.rescue"
    shutil.copyfile(old, kept_file)
    shutil.rmtree(tmp_path / "sale")
    deal = sale("redeemed")
    check_same_sale(deal, kept_file)
    lose(deal, "seller")
    result = recover(deal, kept_file, *with_folder(deal))
    if stage == "proved":
        assert "already redeemed" in result.out
    else:
        assert result.code == 2
    given = ["seller", "prove", "--deal", str(deal.deal), "--home", str(deal.root / "second")]
    assert run(given) == 2
    assert "recovered from a rescue file" in deal.capsys.readouterr().err


def check_same_sale(sale: Sale, file: Path) -> None:
    """Stages are snapshots of one run."""
    files = rescue.read(file, lambda what: "").files
    assert files["offer.zkcmp"] == sale.message("offer").read_bytes()


def test_old_file_does_not_make_the_seller_reveal_late(sale: Callable[[str], Sale]) -> None:
    """Few blocks are left: no second machine reveals the key either, and none after a refund."""
    deal = sale("locked")
    file = rescued(deal, "seller")
    secret = rescue.read(file, lambda what: "").files["preimage"]
    lose(deal, "seller")
    mine(deal, BLOCKS - 20)
    for blocks in (1, 30):
        mine(deal, blocks)
        result = recover(deal, file, *with_folder(deal))
        assert (result.code, result.err.count("\n")) == (2, 1)
        assert not on_chain(deal, secret)
    assert deal.run("buyer", "refund").code == 0
    assert recover(deal, file, *with_folder(deal)).code == 2
    assert not on_chain(deal, secret)


@pytest.mark.parametrize("known_by", ["announcement", "change"])
def test_old_file_of_the_buyer_finds_the_lock(sale: Callable[[str], Sale], known_by: str) -> None:
    """From before the lock: by our own message in the folder, or where our coins come from."""
    deal = sale("verified")
    file = rescued(deal, "buyer")
    assert deal.run("buyer", "lock").code == 0
    mine(deal, BLOCKS + 1)
    lose(deal, "buyer")
    options = with_folder(deal)
    if known_by == "change":
        shutil.rmtree(deal.deal)
        options = ()
    result = recover_bought(deal, file, *options)
    assert result.code == 0, result
    assert "found      the lock" in result.out
    assert "refunded" in result.out


def test_old_file_of_the_buyer_from_before_a_second_lock(sale: Callable[[str], Sale]) -> None:
    """The record has a lock that was never sent; the chain has one over the same coins."""
    deal = sale("verified")
    first = interrupt(deal, "before", "buyer", "lock")
    file = rescued(deal, "buyer")
    mine(deal, 3)
    assert deal.run("buyer", "lock").code == 0
    mine(deal, 1)
    lose(deal, "buyer")
    shutil.rmtree(deal.deal)
    with KernelChain(deal.root / "chain") as chain:
        assert chain.get_transaction(first.GetTxid()[::-1].hex()) is None
    result = recover_bought(deal, file)
    assert result.code == 2
    assert "found      the lock" in result.out
    mine(deal, BLOCKS)
    assert "refunded" in recover_bought(deal, file).out


@pytest.mark.parametrize("announces_another", [False, True])
def test_seller_whose_lock_and_claim_every_node_forgot(
    sale: Callable[[str], Sale], announces_another: bool
) -> None:
    """The buyer has the key and sends nothing; the file is of the moment before the claim."""
    deal = sale("locked")
    lock = lock_place(deal).txid
    assert deal.run("seller", "redeem").code == 0
    file = kept(deal, "seller")
    copy = deal.root / "kept.rescue"
    shutil.copyfile(file, copy)
    assert deal.open().code == 0
    mine(deal, 1)
    lose(deal, "seller")
    with chain_of(deal) as chain:
        chain.reorganise(2, [lock])
        assert chain.get_transaction(lock) is None
    if announces_another:
        lock_message = deal.message("lock")
        lock_message.write_bytes(lock_of_another_transaction(deal))
    waiting = recover(deal, copy, "--deal", str(deal.deal))
    assert "has 0 of 1 confirmations" in waiting.err
    mine(deal, 1)
    assert recover(deal, copy, "--deal", str(deal.deal)).code == 0
    mine(deal, 1)
    assert "1 confirmation" in recover(deal, copy).out


def lock_of_another_transaction(sale: Sale) -> bytes:
    """The buyer's lock message with the id of a transaction that does not exist."""
    with Buyer.opened(sale.root / "buyer") as buyer:
        deal = buyer.need(sale.deal)
        offer, answers = deal.offer(), bytes.fromhex(deal.state.delivery)
        told = messages.read_lock(
            deal.own(Kind.LOCK), offer.deal, buyer.identity.public_key, answers
        )
        path = sale.root / "another.zkcmp"
        fields = {
            "deal": offer.deal,
            "answers": answers,
            "redeem_script": told.redeem_script,
            "txid": b"\x07" * 32,
            "vout": told.vout,
            "amount_sat": told.amount_sat,
            "timeout_height": told.timeout_height,
        }
        messages.write_lock(path, buyer.identity, fields)
    return path.read_bytes()


@pytest.mark.parametrize("party", PARTIES)
def test_recovering_with_a_fee_and_with_a_higher_one(
    sale: Callable[[str], Sale], party: str
) -> None:
    """Claim and refund are replaced from the second machine as `redeem` and `refund` do it."""
    deal = sale("locked")
    file = rescued(deal, party)
    if party == "buyer":
        mine(deal, BLOCKS)
    place = lock_place(deal)
    lose(deal, party)
    absurd = recover(deal, file, "--fee", "501")
    assert absurd.refused, absurd
    assert "--accept-high-fee" in absurd.err
    assert not (deal.root / "second").exists()
    for fee in (3, 9, 4):
        assert recover(deal, file, "--fee", str(fee)).code == 0
        with chain_of(deal) as chain:
            spend = chain.find_spend(place)
        rate = round(fee_sat(spend, place.amount_sat) / fees.vsize(spend))
        assert rate == max(fee, 9 if fee == 4 else 0)
    mine(deal, 1)
    assert "1 confirmation" in recover(deal, file, "--fee", "20").out


def test_recovered_buyer_never_pays_again(sale: Callable[[str], Sale]) -> None:
    """Its file is from before the lock, its wallet has coins, and the chain shows nothing yet."""
    deal = sale("verified")
    file = rescued(deal, "buyer")
    assert recover_bought(deal, file, *with_folder(deal)).code == 2
    journal = (deal.root / "chain" / "journal").read_bytes()
    given = deal.arguments("buyer", "lock")
    given[given.index("--home") + 1] = str(deal.root / "second")
    assert run(given) == 2
    assert "recovered from a rescue file" in deal.capsys.readouterr().err
    assert (deal.root / "chain" / "journal").read_bytes() == journal
    assert not deal.message("lock").exists()


def test_sale_in_which_both_machines_are_lost(sale: Callable[[str], Sale]) -> None:
    deal = sale("locked")
    files = {party: rescued(deal, party) for party in PARTIES}
    for party in PARTIES:
        lose(deal, party)
    assert recover(deal, files["seller"], *with_folder(deal)).code == 0
    mine(deal, 1)
    assert recover_bought(deal, files["buyer"], home="third").code == 0
    assert has_the_network(deal)
    with KernelChain(deal.root / "chain") as chain, Seller.opened(deal.root / "second") as seller:
        assert [coin.amount_sat < PRICE_SAT for coin in chain.find_spendable(seller.wallet_script)]


@pytest.mark.parametrize("party", PARTIES)
def test_directory_that_has_the_deal_is_left_as_it_is(
    sale: Callable[[str], Sale], party: str
) -> None:
    """What it knows can be newer; so can another rescue file than the one it was made from."""
    deal = sale("locked")
    file = rescued(deal, party)
    before = deal.tree()
    result = recover_bought(deal, file, home=party)
    assert (result.code, result.out) == (2, "")
    assert "has this deal already" in result.err
    assert deal.tree() == before
    (deal.private(party) / "note").write_bytes(b"something that the deal got since")
    second = rescued(deal, party, "later")
    recover_bought(deal, second)
    before = deal.tree()
    result = recover_bought(deal, file)
    assert (result.code, result.out) == (2, "")
    assert "choose a fresh --home" in result.err
    assert deal.tree() == before


@pytest.mark.parametrize("party", PARTIES)
def test_directory_of_another_party(sale: Callable[[str], Sale], party: str) -> None:
    deal = sale("locked")
    file = rescued(deal, party)
    other = next(name for name in PARTIES if name != party)
    lose(deal, party)
    before = deal.tree()
    result = recover_bought(deal, file, home=other)
    assert (result.code, result.out) == (2, "")
    assert "not of the party" in result.err
    assert deal.tree() == before


def test_two_deals_of_one_party_in_one_directory(sale: Callable[[str], Sale]) -> None:
    deal = sale("locked")
    other = Sale(deal.root, deal.capsys, folder="other")
    files = [rescued(deal, "seller"), rescued(other, "seller", "other")]
    lose(deal, "seller")
    for each, file in zip((deal, other), files, strict=True):
        assert recover(deal, file, *with_folder(each)).code == 0
    assert deal.run("seller", "status").code == 0
    with Seller.opened(deal.root / "second") as seller:
        assert len(seller.deals()) == 2


@pytest.mark.parametrize("party", PARTIES)
def test_under_a_passphrase(
    sale: Callable[[str], Sale], party: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new directory has the passphrase of the old one, and nothing in it is plain."""
    deal = sale("redeemed")
    kind = Seller if party == "seller" else Buyer
    with kind.opened(deal.root / party) as owner:
        owner.files.change(WORDS, FAST)
        secrets = [owner.identity.seed, owner.coin_secret, owner.need(deal.deal).keys().coin_secret]
    words = tmp_path / "words"
    words.write_text(WORDS)
    words.chmod(0o600)
    monkeypatch.setenv("ZKCMP_PASSPHRASE_FILE", str(words))
    file = rescued(deal, party)
    assert all(secret not in file.read_bytes() for secret in secrets)
    assert file.stat().st_mode & 0o777 == 0o600
    words.write_text("something else")
    result = recover_bought(deal, file)
    assert (result.code, result.out) == (2, "")
    assert "not the passphrase" in result.err
    assert not (deal.root / "second").exists()
    words.write_text(WORDS)
    for _ in range(2):
        assert recover_bought(deal, file, *with_folder(deal)).code == 0
    for path in (deal.root / "second").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0
        if path.is_file():
            data = path.read_bytes()
            assert all(x not in data and x.hex().encode() not in data for x in secrets), path
    monkeypatch.delenv("ZKCMP_PASSPHRASE_FILE")
    assert run([party, "status", "--home", str(deal.root / "second")]) == 2


def test_file_with_a_passphrase_of_its_own(
    sale: Callable[[str], Sale], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the real cost; the directory that it comes from has none."""
    deal = sale("locked")
    words = tmp_path / "words"
    words.write_text(WORDS)
    words.chmod(0o600)
    out = deal.root / "file.rescue"
    result = deal.run("seller", "rescue", "--out", str(out), "--new-file", str(words))
    assert result.code == 0
    assert "caution" not in result.out
    assert (
        "caution    whoever reads it can spend"
        in deal.run("seller", "rescue", "--out", str(deal.root / "plain.rescue")).out
    )
    monkeypatch.setenv("ZKCMP_PASSPHRASE_FILE", str(words))
    assert recover(deal, out, *with_folder(deal)).code == 0
    assert (deal.root / "second" / "passphrase").exists()


def test_output_that_is_something_else_or_shared(sale: Callable[[str], Sale]) -> None:
    deal = sale("locked")
    mine_file = deal.root / "something"
    mine_file.write_bytes(b"of mine")
    for out in (mine_file, deal.deal / "file.rescue", deal.root, deal.root / "none" / "file"):
        result = deal.run("buyer", "rescue", "--out", str(out))
        assert result.refused, result
    assert mine_file.read_bytes() == b"of mine"
    assert not (deal.deal / "file.rescue").exists()


@pytest.mark.parametrize("party", PARTIES)
def test_files_that_lack_something(sale: Callable[[str], Sale], party: str) -> None:
    """Nothing is left in the new directory that a whole file could not use."""
    deal = sale("redeemed")
    file = rescued(deal, party)
    files = rescue.read(file, lambda what: "").files
    whole = file.read_bytes()
    bad = deal.root / "bad.rescue"
    for name in ("about.json", "identity.key", "wallet.key", "keys", "state.json", "offer.zkcmp"):
        some = {each: data for each, data in files.items() if each != name}
        bad.write_bytes(rescue_file.encode(rescue_file.pack(some), None))
        result = recover_bought(deal, bad)
        assert (result.code, result.out) == (2, "")
    for name, data in (
        ("about.json", b"{}"),
        ("about.json", b"[" * 1_000_000),
        ("keys", b"[" * 1_000_000),
        ("identity.key", bytes(31)),
        ("offer.zkcmp", b""),
        ("about.json", files["about.json"].replace(b'"deal": "', b'"deal": "../')),
        ("state.json", b"{}"),
        ("state.json", files["state.json"].replace(b'"deal": "', b'"deal": "00')),
    ):
        bad.write_bytes(rescue_file.encode(rescue_file.pack({**files, name: data}), None))
        result = recover_bought(deal, bad)
        assert (result.code, result.err.count("\n")) == (2, 1)
    for text in (b"", b"no rescue file", whole[:-1], deal.message("offer").read_bytes()):
        bad.write_bytes(text)
        assert recover_bought(deal, bad).code == 2
    assert recover_bought(deal, file, *with_folder(deal)).code == 0


def test_killed_while_recovering(sale: Callable[[str], Sale], killed) -> None:  # type: ignore[no-untyped-def]
    """Before every durable step, each time on what the one before left."""
    deal = sale("locked")
    file = rescued(deal, "seller")
    lose(deal, "seller")
    given = ["recover", str(file), "--home", str(deal.root / "second"), *with_folder(deal)]
    given += ["--chain-dir", str(deal.root / "chain")]
    deaths = next(step for step in range(1, 40) if not killed(step, given)) - 1
    assert deaths >= 6
    mine(deal, 1)
    assert deal.open().code == 0
    assert has_the_network(deal)


def test_large_delivery_stays_outside(
    sale: Callable[[str], Sale], monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = sale("redeemed")
    monkeypatch.setattr(rescue, "MAX_DELIVERY_BYTES", 100)
    out = deal.root / "file.rescue"
    assert "keep that beside it" in deal.run("buyer", "rescue", "--out", str(out)).out
    lose(deal, "buyer")
    honest = deal.message("delivery").read_bytes()
    deal.message("delivery").write_bytes((deal.root / "other" / "delivery.zkcmp").read_bytes())
    assert recover_bought(deal, out, *with_folder(deal)).code == 2
    assert not has_the_network(deal)
    deal.message("delivery").write_bytes(honest)
    assert recover_bought(deal, out, *with_folder(deal)).code == 0
    assert has_the_network(deal)


def test_rescue_file_keeps_a_future_passphrase_out(sale: Callable[[str], Sale]) -> None:
    """Rescue files in the directory follow its passphrase."""
    deal = sale("locked")
    with Seller.opened(deal.root / "seller") as seller:
        secret = seller.coin_secret
        assert secret in kept(deal, "seller").read_bytes()
        seller.files.change(WORDS, FAST)
    assert secret not in kept(deal, "seller").read_bytes()
    assert rescue.read(kept(deal, "seller"), lambda what: WORDS).files["wallet.key"] == secret


def test_strange_files_do_not_stop_a_claim(sale: Callable[[str], Sale]) -> None:
    """Whatever somebody put into the deal's directory, the rescue file can be written."""
    deal = sale("locked")
    directory = deal.private("seller")
    for name in ("näme", "a b", "x" * 255, ".hidden", "incoming.lock.zkcmp"):
        (directory / name).write_bytes(b"?")
    with (directory / "large").open("wb") as large:
        large.truncate(1 << 30)
    (directory / "directory").mkdir()
    (directory / "to-nowhere").symlink_to(directory / "nothing")
    assert deal.run("seller", "redeem").code == 0
    file = rescued(deal, "seller")
    assert file.stat().st_size < 8000
    lose(deal, "seller")
    assert recover(deal, file, *with_folder(deal)).code == 0


def test_paths_that_lead_nowhere(sale: Callable[[str], Sale]) -> None:
    deal = sale("locked")
    file = rescued(deal, "seller")
    for options in (("--home", "~nobody-at-all/x"), ("--deal", "~nobody-at-all/x")):
        assert run(["recover", str(file), *options]) == 2
        assert "leads nowhere" in deal.capsys.readouterr().err
    assert recover(deal, deal.root / "no-file").refused
    assert recover(deal, deal.root).refused


def test_state_of_a_recovered_deal_is_the_rescued_one(sale: Callable[[str], Sale]) -> None:
    """Its folder is where the messages are now, and the claim's record is carried over."""
    deal = sale("redeemed")
    state = load_state(deal.private("seller"), SellerState)
    file = rescued(deal, "seller")
    lose(deal, "seller")
    assert recover(deal, file, *with_folder(deal)).code == 0
    directory = deal.root / "second" / "deals" / state.deal
    found = load_state(directory, SellerState)
    assert found.folder == str(deal.deal.resolve())
    found.folder = state.folder
    assert found == state
    save_state(directory, found)


def test_keyring_of_a_file_is_not_a_weaker_one(tmp_path: Path) -> None:
    """A directory that exists keeps its own passphrase, whatever a rescue file comes with."""
    home = tmp_path / "home"
    with Seller.opened(home) as seller:
        seller.files.change(WORDS, FAST)
        header = (home / "passphrase").read_bytes()
    stranger = rescue_file.encode(rescue_file.pack({"x": b""}), Keyring.new("others", FAST))
    (tmp_path / "file").write_bytes(stranger)
    code = run(["recover", str(tmp_path / "file"), "--home", str(home)])
    assert code == 2
    assert (home / "passphrase").read_bytes() == header

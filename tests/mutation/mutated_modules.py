"""Which modules are mutated, the tests that guard each, and what in it no verifier runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """`tests` are files under tests/; `provers` are functions and classes left as they are."""

    module: str
    tests: tuple[str, ...]
    provers: tuple[str, ...] = ()


LEFT_OUT = "not portable_body"
"""Tests that run other processes, which no mutant reaches (a pytest -k expression)."""

_GROTH16 = (
    "groth16/test_point_checks.py",
    "groth16/test_verifying_key_bytes.py",
    "groth16/test_groth16_proofs.py",
    "groth16/test_groth16_keys.py",
    "groth16/test_two_round_keys.py",
    "groth16/test_two_rounds.py",
    "groth16/test_two_round_cheats.py",
    "groth16/test_batch.py",
)
_MESSAGES = (
    "exchange/test_wire.py",
    "exchange/test_message_limits.py",
    "exchange/test_messages.py",
)
_DEALS = (
    "exchange/test_proof_backends.py",
    "exchange/test_deal_proof.py",
)
_GROTH16_PROVER = ("Groth16.setup", "Groth16.take_ceremony", "Groth16.prove", "Groth16.export")
_LIBRA_PROVER = ("Libra.prove", "prove_with")
_ZKVPD_PROVER = ("LibraZkvpd.setup", "LibraZkvpd.prove")
_LIBRA = (
    "libra/test_libra_channel.py",
    "libra/test_libra_statement.py",
    "libra/test_reductions.py",
    "libra/test_libra_tensors.py",
)
_COMMITMENTS = (
    "commitments/test_dot_product.py",
    "commitments/test_hyrax.py",
    "commitments/test_hyrax_soundness.py",
    "commitments/test_zkvpd.py",
)
_SCRIPTS = (
    "bitcoin/test_htlc_script.py",
    "bitcoin/test_settlement_transactions.py",
    "bitcoin/test_settlement_consensus.py",
    "bitcoin/test_settlement_fee_rates.py",
)

TARGETS = {
    target.module: target
    for target in (
        Target("zkcmp.groth16.verify", _GROTH16),
        Target("zkcmp.groth16.challenge", _GROTH16),
        Target("zkcmp.groth16.verifying_key", _GROTH16),
        Target("zkcmp.groth16.proof", _GROTH16),
        Target("zkcmp.groth16.batch", _GROTH16),
        Target("zkcmp.exchange.messages.wire", _MESSAGES),
        Target("zkcmp.exchange.messages.envelope", _MESSAGES),
        Target("zkcmp.exchange.messages.contents", _MESSAGES),
        Target("zkcmp.exchange.checks", ("exchange/test_checks.py",)),
        Target("zkcmp.exchange.proofs", _DEALS),
        Target("zkcmp.exchange.proofs.circuit", _DEALS),
        Target("zkcmp.exchange.proofs.groth16", _DEALS, _GROTH16_PROVER),
        Target("zkcmp.exchange.proofs.libra", _DEALS, _LIBRA_PROVER),
        Target("zkcmp.exchange.proofs.libra_zkvpd", _DEALS, _ZKVPD_PROVER),
        Target(
            "zkcmp.exchange.buyer.verifying",
            (
                "adversary/test_malleated_proofs.py",
                "adversary/test_proofs_of_other_statements.py",
                "cli/test_verified_deliveries.py",
            ),
        ),
        Target(
            "zkcmp.libra.statement",
            _LIBRA,
            ("Secret", "Statement.secret", "Statement.assign", "Statement._choose_flags"),
        ),
        Target("zkcmp.libra.requirements.opening", _LIBRA),
        Target("zkcmp.libra.conversation.channel", _LIBRA, ("ProverChannel",)),
        Target(
            "zkcmp.libra.sumcheck.protocol",
            _LIBRA,
            ("EqTables", "TableProver", "ProductProver", "SumProver", "Phases"),
        ),
        Target(
            "zkcmp.commitments.hyrax",
            _COMMITMENTS,
            ("HyraxOpening", "Hyrax.commit", "Hyrax.open", "_combined_rows"),
        ),
        Target(
            "zkcmp.commitments.zkvpd",
            _COMMITMENTS,
            ("ZkvpdOpening", "Zkvpd.commit", "Zkvpd.open", "Zkvpd._quotients", "Zkvpd._table"),
        ),
        Target(
            "zkcmp.commitments.inner_product",
            _COMMITMENTS,
            ("Bases.fixed", "Bases.commit", "prove", "_halves", "_add_prefix", "_only"),
        ),
        Target("zkcmp.commitments.dot_product", _COMMITMENTS, ("prove",)),
        Target("bitcoin_scripts.htlc", _SCRIPTS),
        Target("bitcoin_scripts.preimage", _SCRIPTS),
        Target("bitcoin_scripts.claim", _SCRIPTS),
        Target("bitcoin_scripts.refund", _SCRIPTS),
        Target("zkcmp.seal", ("circuits/test_seal.py",)),
    )
}

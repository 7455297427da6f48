"""Which modules are mutated, the tests that guard each, and what in it no verifier runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """`tests`: files under tests/, or parts of them; `provers`: what is left as it is."""

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
    "exchange/test_encrypted_lengths.py",
    "exchange/test_fingerprints.py",
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
_RELATIONS = (
    *_LIBRA,
    "libra/test_libra_liars.py",
    "libra/test_libra_lookup.py",
    "libra/test_libra_accuracy.py",
    "libra/test_libra_hash.py",
    "libra/test_libra_seal.py",
    "libra/test_libra_ranges.py",
    "libra/test_libra_order.py",
    "libra/test_libra_margins.py",
    "libra/test_libra_limbs.py",
)
_LAYERS = (
    "libra/test_libra_liars.py::TestLayers",
    "libra/test_libra_layers.py",
    "libra/test_libra_network.py::test_networks",
    "libra/test_libra_network.py::test_one_wrong_activation",
    "libra/test_libra_network.py::test_swapped_images",
    "libra/test_libra_network.py::test_other_weights_than_the_committed",
    "libra/test_libra_public_inputs.py",
)
_HIDDEN = (
    "libra/test_libra_channel.py",
    "libra/test_reductions.py",
    "libra/test_libra_liars.py",
    "libra/test_libra_zero_knowledge.py",
    "libra/test_libra_masks.py",
)
_MULTILINEAR = (
    "libra/test_libra_tensors.py",
    "libra/test_reductions.py",
    "libra/test_libra_seal.py",
    "libra/test_libra_liars.py::TestTheSeal",
    "libra/test_libra_lookup.py",
    "libra/test_libra_ranges.py",
    "libra/test_libra_accuracy.py",
    "libra/test_libra_layers.py::test_layer_computes_what_integers_do",
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
    "bitcoin/test_claim_inputs.py",
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
        Target("zkcmp.exchange.messages.encryption", _MESSAGES),
        Target("zkcmp.exchange.messages.identity", _MESSAGES),
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
            "zkcmp.libra.prove",
            (
                "libra/test_libra_verify_checks.py",
                "libra/test_libra_statement.py",
                "libra/test_libra_proofs.py",
            ),
            ("prove", "prove_unchecked"),
        ),
        Target(
            "zkcmp.libra.statement",
            _LIBRA,
            ("Secret", "Statement.secret", "Statement.assign", "Statement._choose_flags"),
        ),
        Target("zkcmp.libra.conversation.channel", _LIBRA, ("ProverChannel",)),
        Target("zkcmp.libra.conversation.forms", _HIDDEN, ("Form.known",)),
        Target("zkcmp.libra.requirements.opening", _LIBRA),
        Target("zkcmp.libra.requirements.products", _HIDDEN, ("_table",)),
        Target(
            "zkcmp.libra.sumcheck.protocol",
            _LIBRA,
            ("EqTables", "TableProver", "ProductProver", "SumProver", "Phases"),
        ),
        Target("zkcmp.libra.multilinear.layout", _MULTILINEAR, ("Layout.assemble",)),
        Target("zkcmp.libra.multilinear.tables", _MULTILINEAR, ("fold", "halves", "outer")),
        Target("zkcmp.libra.multilinear.sealed_tensor", _MULTILINEAR, ("SealedTensor.block",)),
        Target("zkcmp.libra.multilinear.tensors", _MULTILINEAR),
        Target(
            "zkcmp.libra.relations.accuracy",
            _RELATIONS,
            ("margins", "limbs", "_flag_table", "_at_labels", "_differences"),
        ),
        Target(
            "zkcmp.libra.relations.sha256",
            _RELATIONS,
            (
                "bits",
                "_View.of",
                "_term",
                "_xor_table",
                "_xor3_table",
                "_majority_table",
                "_choose_table",
            ),
        ),
        Target(
            "zkcmp.libra.relations.mimc7",
            _RELATIONS,
            ("states", "CipherProver", "_inputs", "_last_states"),
        ),
        Target("zkcmp.libra.relations.ranges", _RELATIONS, ("Ranges.limbs",)),
        Target(
            "zkcmp.libra.relations.lookup",
            _RELATIONS,
            ("Lookup.multiplicities", "_leaves", "_tree", "FractionProver"),
        ),
        Target("zkcmp.libra.relations.network", _LAYERS, ("Activations", "evaluate_network")),
        Target("zkcmp.libra.layers.conv", _LAYERS, ("_bound_kernel", "_transposed")),
        Target("zkcmp.libra.layers.dense", _LAYERS),
        Target("zkcmp.libra.layers.square", _LAYERS),
        Target("zkcmp.libra.layers.step", _LAYERS, ("Step.input",)),
        Target("zkcmp.libra.layers.sum_pool", _LAYERS),
        Target("zkcmp.libra.layers.weights", _LAYERS),
        Target("zkcmp.libra.layers.windows", _LAYERS),
        Target(
            "zkcmp.libra.layered.rounds",
            (
                "libra/test_libra_circuit.py",
                "libra/test_libra_joined_claims.py",
                "libra/test_libra_liars.py::test_a_layer_of_gates",
            ),
            ("_GatesProver", "_ones"),
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

"""The JSON beside an exported network: enough to run it, and tied to the file and the deal."""

import json
from hashlib import sha256

import numpy as np
import onnxruntime
import pytest
from example_networks import CRYPTONETS, POOLED, random_images, random_network

from zkcmp.model.architecture import Architecture, Normalisation
from zkcmp.model.layers import Dense, Flatten
from zkcmp.model.network_card import network_card
from zkcmp.model.onnx import export_onnx

SCALED = Architecture((2, 1, 2), 3, (Flatten(), Dense(4, 2, 8, 8)), Normalisation("0.5,0.25", "-1"))


@pytest.mark.parametrize(("architecture", "exact"), [(SCALED, True), (CRYPTONETS, False)])
def test_it_says_how_to_run_the_network(architecture, exact):
    network = random_network(architecture, 1)
    model = export_onnx(network)
    deal = {"hash_lock": "ab" * 32}
    card = json.loads(network_card(network, model, deal))
    assert card["exact_in_doubles"] is exact
    assert card["onnx_sha256"] == sha256(model).hexdigest()
    assert card["architecture_sha256"] == architecture.digest.hex()
    assert card["deal"] == deal
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    assert (given.name, given.shape) == (card["input"]["name"], card["input"]["shape"])
    assert given.type == f"tensor({card['input']['type']})"
    assert session.get_outputs()[0].name == card["output"]["name"]
    assert "deal" not in json.loads(network_card(network, model))


def test_scales_and_range_are_those_of_the_architecture():
    network = random_network(SCALED, 1)
    card = json.loads(network_card(network, b""))["input"]
    assert (card["largest"], card["scale"], card["offset"]) == (7, ["0.5", "0.25"], ["-1"])


def test_the_card_is_enough_to_get_the_proved_labels():
    network = random_network(POOLED, 3)
    model = export_onnx(network)
    card = json.loads(network_card(network, model))
    images = random_images(POOLED, 40, 4)
    assert images.max() <= card["input"]["largest"]
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    given = {card["input"]["name"]: images.astype(np.dtype(card["input"]["type"]))}
    logits = session.run([card["output"]["name"]], given)[0]
    assert (logits.argmax(axis=1) == network.predict(images)).all()

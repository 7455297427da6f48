"""Challenges answer every message, and a combination of requirements is of independent ones."""

import pytest

from zkcmp.bn254.field.fr import FrVector
from zkcmp.libra.conversation.channel import VerifierChannel
from zkcmp.libra.conversation.forms import Form
from zkcmp.libra.multilinear.layout import Layout
from zkcmp.libra.requirements.opening import PADS, Batch, TableWeights
from zkcmp.transcript import Transcript


@pytest.mark.parametrize("way", ["send", "reveal"])
def test_a_challenge_depends_on_every_element_before_it(way: str) -> None:
    drawn = set()
    for first, second in ((1, 2), (1, 3), (2, 2), (2, 1)):
        proof = first.to_bytes(32, "big") + second.to_bytes(32, "big")
        channel = VerifierChannel(Transcript(b"channel"), proof)
        getattr(channel, way)(b"message", None, 2)
        drawn.add(channel.challenge(b"answer"))
    assert len(drawn) == 4


@pytest.mark.parametrize("kind", ["zeros", "claims"])
def test_requirements_that_are_wrong_do_not_cancel(kind: str) -> None:
    """Off by 1, −2 and 1: with coefficients in an arithmetic progression they would."""
    channel = VerifierChannel(Transcript(b"channel"), b"")
    for wrong in (1, -2, 1):
        if kind == "zeros":
            channel.require_zero(Form.public(wrong))
        else:
            channel.require_opening("v", TableWeights(FrVector.zeros(2)), Form.public(wrong))
    assert Batch(channel, Layout({"v": 2, PADS: 2})).value != 0

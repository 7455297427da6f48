"""The line that names a method is canonical, and nothing else is one."""

from fractions import Fraction

import pytest

from zkcmp.errors import DecodeError
from zkcmp.exchange.method import FREIVALDS, FULL, HYRAX, ZKVPD, Method

SEED = "ab" * 32
SAMPLED = Method("sampled", Fraction(3, 100), bytes.fromhex(SEED))


@pytest.mark.parametrize(
    ("method", "line"),
    [
        (FREIVALDS, "freivalds"),
        (FULL, "full"),
        (HYRAX, "libra hyrax"),
        (ZKVPD, "libra zkvpd"),
        (SAMPLED, f"sampled 3/100 {SEED}"),
    ],
)
def test_round_trip(method: Method, line: str) -> None:
    assert method.line == line
    assert Method.from_line(line) == method
    assert method.title == line.replace(f" {SEED}", "")
    assert method.has_key_material == (method != HYRAX)
    assert method.is_sound == (method is not SAMPLED)


@pytest.mark.parametrize(
    "line",
    [
        *("", "Full", "full ", "full\n", "sampled", "sampled 3/100", "groth16"),
        *("libra", "libra  hyrax", "libra kzg"),
        f"sampled 6/200 {SEED}",
        f"sampled 101/100 {SEED}",
        f"sampled 0/1 {SEED}",
        f"sampled 03/100 {SEED}",
        f"sampled 3/100 {SEED.upper()}",
        f"sampled 3/100 {SEED}00",
        f"sampled 3/100  {SEED}",
        f"sampled ٣/100 {SEED}",
        f"sampled {'1' * 34}/{'3' * 34} {SEED}",
    ],
)
def test_no_method(line: str) -> None:
    with pytest.raises(DecodeError):
        Method.from_line(line)


def test_seeds_are_drawn_fresh() -> None:
    asked = SAMPLED.without_seed()
    one, two = asked.drawn(), asked.drawn()
    assert len(one.seed) == 32
    assert one.seed != two.seed
    assert one.without_seed() == asked
    assert FREIVALDS.drawn() == FREIVALDS

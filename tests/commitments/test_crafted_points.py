"""Points that are equal, opposite, infinite or generators, where honest ones are random.

A prover may choose its points so, and whoever makes parameters may choose secrets for which the
elements of the tables are equal or opposite. Sums of such points have every exceptional case of
addition. True claims must be proved and accepted all the same (a refusal that depends on what is
committed would tell of it), and false ones refused.
"""

import hyrax_case
import pytest
import zkvpd_case
from zkvpd_case import srs_from

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.commitments.srs_audit import audit
from zkcmp.commitments.zkvpd import Zkvpd
from zkcmp.errors import VerificationError

HALF = pow(2, -1, R)
BLINDERS = {"infinity": [0], "equal": [1], "opposite": [1, R - 1]}
# rows of eight: all infinity, a generator each, a generator or its negative
VALUES = {
    "zeros": [0] * 64,
    "units": [1, *[0] * 7] * 8,
    "opposite units": [1, *[0] * 7, R - 1, *[0] * 7] * 4,
    "equal rows": [1, 2, 3, R - 4, 5, 6, R - 7, 8] * 8,
}
SECRETS = {
    "all table elements equal": [HALF] * 6 + [1],
    "signed": [R - 1] * 6 + [R - 1],
    "small": [2] * 6 + [HALF],
    "one secret": [5] * 7,
}


@pytest.fixture(params=BLINDERS)
def blinders(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prover whose every random number is one of few."""
    some = BLINDERS[request.param]
    monkeypatch.setattr(
        FrVector, "random", lambda n: FrVector.from_ints([some[i % len(some)] for i in range(n)])
    )


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("scheme", ["hyrax", "zkvpd"])
@pytest.mark.usefixtures("blinders")
def test_by_the_prover(scheme: str, values: str) -> None:
    case: hyrax_case.Case | zkvpd_case.Case
    if scheme == "hyrax":
        case = hyrax_case.Case(6, 3, 5, VALUES[values])
    else:
        case = zkvpd_case.Case(5, 5, VALUES[values][:32])
    case.verify(case.open())
    false = (case.claim + 1) % R
    with pytest.raises(VerificationError):
        case.verify(case.open(claim=false), claim=false)


@pytest.mark.parametrize("secrets", SECRETS)
@pytest.mark.parametrize("values", VALUES)
def test_by_the_maker_of_parameters(secrets: str, values: str) -> None:
    case = zkvpd_case.Case(5, 5)
    case.srs = srs_from(SECRETS[secrets])
    audit(case.srs)
    case.scheme = Zkvpd(case.srs)
    case.values = FrVector.from_ints(VALUES[values][:32])
    case.claim = hyrax_case.evaluate(case.values, case.tail, case.point, case.weights)
    case.commitment, case.opening = case.scheme.commit(case.values, case.tail)
    case.verify(case.open())
    false = (case.claim + 1) % R
    with pytest.raises(VerificationError):
        case.verify(case.open(claim=false), claim=false)

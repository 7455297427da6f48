"""What the paper measured (Zhou et al. 2021, Tables 1 and 2), on 80 cores with 700 GB.

CryptoNets on MNIST, selecting parameter u = 3 %. Errata: the proof size of Table 2's zk-SNARK is
0.9951 Kbit, not KB; its verifier's 18.6 s are 7.84 million raw public inputs; Convert has no range
proof; inside Groth16 Sampling does not have the soundness of Lemmas 1 and 2 (docs/sampling.md).
"""

# n: prover seconds, Table 1
ORIGINAL_S = {5: 42.4675, 10: 80.6847, 15: 135.829, 20: 161.769, 25: 220.973, 30: 272.984}
SAMPLING_S = {5: 2.72504, 10: 4.43177, 15: 5.82092, 20: 7.50026, 25: 8.54351, 30: 10.4192}
# n: prover seconds, Table 2
SNARK_S = {0: 464.36, 2000: 1466.78, 4000: 2593.56, 6000: 3773.49, 8000: 4503.66, 10000: 5781.95}
LIBRA_S = {
    0: 11.8639,
    2000: 202.9769,
    4000: 392.7659,
    6000: 609.2089,
    8000: 799.3409,
    10000: 1034.1239,
}
LIBRA_VERIFY_S = {0: 0.1546, 2000: 0.4067, 4000: 0.4268, 6000: 0.444, 8000: 0.4449, 10000: 0.4413}
SNARK_VERIFY_S = {
    0: 0.0126,
    2000: 3.8566,
    4000: 8.016,
    6000: 11.9275,
    8000: 16.0533,
    10000: 18.5781,
}

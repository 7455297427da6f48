"""Figure 8 of the paper: Table 2 as curves, from results/table2.csv.

python experiments/figure8.py
"""

from curves import draw
from records import RESULTS

if __name__ == "__main__":
    panels = [
        ("prove_s", "paper_prove_s", "prover (s)"),
        ("verify_s", "paper_verify_s", "verifier (s)"),
    ]
    draw(RESULTS / "table2.csv", panels, RESULTS / "figure8.png")

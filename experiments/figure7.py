"""Figure 7 of the paper: Table 1 as curves, from results/table1.csv.

python experiments/figure7.py
"""

from curves import draw
from records import RESULTS

if __name__ == "__main__":
    panels = [("prove_s", "paper_prove_s", "prover (s)")]
    draw(RESULTS / "table1.csv", panels, RESULTS / "figure7.png")

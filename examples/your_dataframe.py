"""A DataFrame from the first look to a report that can be handed on.

python examples/your_dataframe.py [report.html]
"""

# %% Loans. Age is a number: it is cut into groups. Two columns should not matter.
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import fmd_core as fmd

rng, n = np.random.default_rng(1), 3_000
loans = pd.DataFrame(
    {
        "age": rng.integers(18, 80, n),
        "region": rng.choice(["north", "south"], n, p=[0.7, 0.3]),
        "income": rng.lognormal(7.8, 0.4, n).round(),
        "debts": rng.poisson(1.2, n),
        "job": rng.choice(["office", "craft", "care", "none"], n),
    }
)
good = loans["income"] / 1500 - loans["debts"] + 0.02 * loans["age"] - 1.2 * (loans["region"] == "south")
loans["repaid"] = np.where(good + rng.normal(size=n) > 1.2, "yes", "no")

# %% A data set, and a small network that is trained here in seconds.
data = fmd.table(
    loans, target="repaid", protected=["region", "age"], name="Loans", unit="person", favourable="yes"
)
print("\n".join(data.notes))
classifier = fmd.train_classifier(data, architecture="mlp", epochs=6, seed=0)
parts = {
    split: fmd.extract_features(classifier, data, split=split) for split in ("train", "validation", "test")
}

# %% Every attribute that should not matter, worst first.
pairs = [fmd.pair_counterfactuals(data, classifier, split="test", attribute=name) for name in data.attributes]
audit = fmd.audit_bias(classifier.head, data, parts["test"], pairs)
for found in audit.attributes:
    print(f"{found.attribute}: {100 * found.bias.value:.1f} points, {found.flips.value:.1%} of answers flip.")

# %% Take the worst one out.
worst = audit.attributes[0].attribute
twins = {
    split: fmd.pair_counterfactuals(data, classifier, split=split, attribute=worst)
    for split in ("external", "validation", "test")
}
bias = {split: fmd.CounterfactualBias(found) for split, found in twins.items()}
curvature = fmd.fit_curvature(classifier.head, parts["train"], damping=classifier.damping)
scores = fmd.bias_influence(classifier.head, parts["train"], bias["external"], curvature)
inputs = fmd.UnlearningInputs(parts["train"], bias["external"], curvature, scores)
path = fmd.unlearning_path(classifier.head, inputs, fmd.Guard(parts["validation"], bias["validation"]))
point = path.suggested
result = fmd.compare(classifier.head, point.result.head, data, parts["test"], twins["test"])
print(f"{worst}: bias {result.bias.before.value:.3f} -> {result.bias.after.value:.3f}, {result.verdict}.")

# %% One self-contained page, and its figures as JSON inside.
evidence = fmd.Evidence(
    data, classifier, audit, 0.1, scores, 20, point=point, tolerance=path.tolerance, comparison=result,
    audit_after=fmd.audit_bias(point.result.head, data, parts["test"], pairs),
)  # fmt: skip
if len(sys.argv) > 1:
    Path(sys.argv[1]).write_text(fmd.render_report(evidence), encoding="utf-8")
    print(f"Written to {sys.argv[1]}.")

"""Two models of your own on the same people: which is better, and for whom?

python examples/two_models_compared.py
"""

# %% People, and two models that were trained on the same ones.
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

import fmd_core as fmd

rng, n = np.random.default_rng(2), 4_000
group = rng.choice(["blue", "green"], n, p=[0.75, 0.25])
first, second = rng.normal(size=(2, n))
wins = np.where(group == "blue", first, second) + 0.5 * (group == "blue") + rng.normal(scale=0.5, size=n)
people = pd.DataFrame(
    {"group": group, "first": first, "second": second, "grant": np.where(wins > 0, "yes", "no")}
)

data = fmd.table(people, target="grant", protected=["group"], name="Grants", unit="person")
train = data.rows("train")
rows, answers = data.source.read(train), np.array(data.target.levels)[data.target.codes[train]]
models = {
    "straight line": LogisticRegression().fit(rows, answers),
    "small network": MLPClassifier((16,), max_iter=300, random_state=0).fit(rows, answers),
}


# %% Each by its own features, on the same test people and the same twins.
def candidate(model: object) -> fmd.Candidate:
    """What one model makes of the test people and of their twins."""
    classifier = fmd.wrap(model, data=data)
    features = fmd.extract_features(classifier, data, split="test")
    pairs = fmd.pair_counterfactuals(data, classifier, split="test", attribute="group")
    return fmd.Candidate(classifier.head, features, pairs)


line, network = (candidate(model) for model in models.values())
result = fmd.compare_candidates(line, network, data)

# %% Not only on average: who gained, who lost?
print(f"Accuracy {result.accuracy.before.value:.1%} -> {result.accuracy.after.value:.1%}.")
print(f"Bias {result.bias.before.value:.3f} -> {result.bias.after.value:.3f}: {result.verdict}.")
for change in result.groups:
    print(f"{change.group}: {change.before.value:.1%} -> {change.after.value:.1%} of {change.before.n}.")

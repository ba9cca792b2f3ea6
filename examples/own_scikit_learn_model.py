"""A scikit-learn model of your own: is it biased, which people taught it that, can we take it out?

    python examples/own_scikit_learn_model.py

Nothing here needs torch, and nothing imports it.
"""

# %% People who applied: sex leaves a trace in the hours that they report, and in who was hired.
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

import fmd_core as fmd

rng, n = np.random.default_rng(0), 4_000
sex = rng.choice(["Female", "Male"], n)
skill = rng.normal(size=n)
hours = 35 + 8 * rng.random(n) + 3 * (sex == "Male")
liked = skill + 0.8 * (sex == "Male") + rng.normal(scale=0.7, size=n)
people = pd.DataFrame(
    {"sex": sex, "skill": skill, "hours": hours, "hired": np.where(liked > 0.4, "yes", "no")}
)

# %% The table as a data set: rows in four parts, of which training people taught the model.
data = fmd.table(people, target="hired", protected=["sex"], name="Hiring", unit="person")
train = data.rows("train")
answers = np.array(data.target.levels)[data.target.codes[train]]
model = LogisticRegression(C=1.0, max_iter=1_000).fit(data.source.read(train), answers)

# %% Your model, as it is: same probabilities, never changed.
classifier = fmd.wrap(model, data=data)
parts = {
    split: fmd.extract_features(classifier, data, split=split) for split in ("train", "validation", "test")
}
twins = {
    split: fmd.pair_counterfactuals(data, classifier, split=split, attribute="sex")
    for split in ("external", "validation", "test")
}
audit = fmd.audit_bias(classifier.head, data, parts["test"], [twins["test"]])
worst = audit.attributes[0]
print(f"Right for {audit.accuracy.value:.1%} of {audit.accuracy.n} test people.")
print(f"The other sex changes the probability by {100 * worst.bias.value:.1f} points.")

# %% Who taught it that?
bias = {split: fmd.CounterfactualBias(pairs) for split, pairs in twins.items()}
curvature = fmd.fit_curvature(classifier.head, parts["train"], damping=classifier.damping)
scores = fmd.bias_influence(classifier.head, parts["train"], bias["external"], curvature)
print("Most harmful training people:", people.iloc[scores.most_harmful(3)].to_dict("records"))

# %% Take it out, guarded by validation people, judged by test people.
inputs = fmd.UnlearningInputs(parts["train"], bias["external"], curvature, scores)
path = fmd.unlearning_path(classifier.head, inputs, fmd.Guard(parts["validation"], bias["validation"]))
result = fmd.compare(classifier.head, path.suggested.result.head, data, parts["test"], twins["test"])
print(f"Bias {result.bias.before.value:.3f} -> {result.bias.after.value:.3f}: {result.verdict}.")

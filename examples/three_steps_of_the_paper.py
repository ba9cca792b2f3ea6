"""The three steps of Fast Model Debias (Chen et al., NeurIPS 2023), each by its own call.

python examples/three_steps_of_the_paper.py
"""

# %% A bundled demo: digits in ten inks, and a network that learned the ink.
import fmd_core as fmd

data, model = fmd.load_dataset("colored_digits"), fmd.load_demo_classifier("colored_digits")
train, test = (fmd.extract_features(model, data, split=split) for split in ("train", "test"))

# %% 1. Identify: the same sample in another ink. How much does the probability of its own digit change?
twins = {
    split: fmd.pair_counterfactuals(data, model, split=split, attribute="colour")
    for split in ("train", "external", "test")
}
bias = fmd.CounterfactualBias(twins["external"])
print(f"Counterfactual bias on external people: {bias.value(model.head):.3f}.")

# %% 2. Measure: how would the bias change without this one training sample?
curvature = fmd.fit_curvature(model.head, train, damping=model.damping)
scores = fmd.bias_influence(model.head, train, bias, curvature)
print("Most harmful training samples:", scores.most_harmful(5).tolist())

# %% 3. Remove: one step of the last layer that counteracts what they taught. All three published forms: without
# the most harmful samples, with their twins in their place, and by pairs that the model never saw.
inputs = fmd.UnlearningInputs(train, bias, curvature, scores, (twins["train"],))
for strategy in ("paper-remove", "paper-replace", "paper-external"):
    step = fmd.unlearn(model.head, inputs, strategy=strategy, strength=0.2, k=20)
    result = fmd.compare(model.head, step.head, data, test, twins["test"])
    print(
        f"{strategy}: bias {result.bias.before.value:.3f} -> {result.bias.after.value:.3f}, "
        f"accuracy {result.accuracy.before.value:.1%} -> {result.accuracy.after.value:.1%}."
    )

"""A torch network of your own on pictures: wrapped as it is, and its last layer unlearned.

python examples/own_torch_model.py
"""

# %% Pictures of digits in ten inks; in training, 98 % of each digit wore their own ink.
import torch
from torch import nn

import fmd_core as fmd

torch.manual_seed(0)
data = fmd.load_dataset("colored_digits")
train = data.rows("train")
pictures = torch.from_numpy(data.source.read(train)).permute(0, 3, 1, 2) / 127.5 - 1
labels = torch.from_numpy(data.target.codes[train].copy())

# %% Your network, trained in your way. It is given pictures (m, 3, height, width) with values from -1 to 1.
network = nn.Sequential(
    nn.AvgPool2d(2), nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(),
    nn.Linear(16 * 4 * 4, 48), nn.ReLU(), nn.Linear(48, 10),
)  # fmt: skip
adam = torch.optim.Adam(network.parameters(), lr=3e-3, weight_decay=1e-4)
for _ in range(12):
    for batch in torch.randperm(len(labels)).split(64):
        adam.zero_grad()
        nn.functional.cross_entropy(network(pictures[batch]), labels[batch]).backward()
        adam.step()

# %% Wrap it: its last linear layer becomes the head, everything below stays as it is.
# How a picture is made ready for it is said here: "symmetric" is what was done above.
classifier = fmd.wrap(
    network.eval(), data=data, classes=data.target.levels, preprocess=fmd.Preprocess("symmetric"), name="mine"
)
parts = {
    split: fmd.extract_features(classifier, data, split=split) for split in ("train", "validation", "test")
}
twins = {
    split: fmd.pair_counterfactuals(data, classifier, split=split, attribute="colour")
    for split in ("external", "validation", "test")
}
bias = {split: fmd.CounterfactualBias(pairs) for split, pairs in twins.items()}

# %% A network that stopped early is not at the optimum of its last layer: scores are then approximate.
curvature = fmd.fit_curvature(classifier.head, parts["train"], damping=classifier.damping)
scores = fmd.bias_influence(classifier.head, parts["train"], bias["external"], curvature)
inputs = fmd.UnlearningInputs(parts["train"], bias["external"], curvature, scores)
path = fmd.unlearning_path(classifier.head, inputs, fmd.Guard(parts["validation"], bias["validation"]))
result = fmd.compare(classifier.head, path.suggested.result.head, data, parts["test"], twins["test"])
print(f"Right for {result.accuracy.before.value:.1%} -> {result.accuracy.after.value:.1%}.")
print(f"Bias by ink {result.bias.before.value:.3f} -> {result.bias.after.value:.3f}: {result.verdict}.")

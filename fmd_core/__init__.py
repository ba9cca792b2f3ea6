"""Fast model debiasing with machine unlearning, without the dashboard.

dataset, classifier -> extract_features, pair_counterfactuals -> audit_bias
    -> fit_curvature -> bias_influence -> unlearning_path -> compare -> report

The names are imported when they are first used (see __init__.pyi): a page that needs one of
them does not wait for all.

Examples
--------
A whole review of the bundled demo. The examples of single functions go on from the names that are made here.

>>> from pathlib import Path
>>> from tempfile import TemporaryDirectory
>>> import numpy as np
>>> import fmd_core as fmd
>>> data, model = fmd.load_dataset("colored_digits"), fmd.load_demo_classifier("colored_digits")
>>> data
AttributeDataset(Coloured digits, 1,797 digits, digit in 10 classes, attributes: colour, paper)
>>> model
Classifier(small_cnn, 10 classes, 64 features)

Train taught the model, external decides the fix, validation guards it, test judges it.

>>> splits = "train", "external", "validation", "test"
>>> people = {split: fmd.extract_features(model, data, split=split) for split in splits}
>>> people["test"]
FeatureSet(450 samples, 64 features)
>>> twins = {
...     split: fmd.pair_counterfactuals(
...         data, model, split=split, attribute="colour", features=people[split]
...     )
...     for split in splits[1:]
... }
>>> bias = {split: fmd.CounterfactualBias(pairs) for split, pairs in twins.items()}
>>> bias["test"]
CounterfactualBias(colour, 450 generated pairs)

Who taught it that, and can it be taken out?

>>> curvature = fmd.fit_curvature(model.head, people["train"], damping=model.damping)
>>> scores = fmd.bias_influence(model.head, people["train"], bias["external"], curvature)
>>> inputs = fmd.UnlearningInputs(people["train"], bias["external"], curvature, scores)
>>> inputs
UnlearningInputs(900 training samples, CounterfactualBias(colour, 200 generated pairs), with curvature and scores)
>>> guard = fmd.Guard(people["validation"], bias["validation"])
>>> guard
Guard(247 validation samples, colour, 1 point of accuracy may be lost)
>>> path = fmd.unlearning_path(model.head, inputs, guard)
>>> fmd.unlearn(model.head, inputs, strategy="iterated", strength=0.3)
UnlearningResult(iterated, strength 0.3, LinearHead(10 classes, 64 features))

Did it really work, and would something simpler have done?

>>> fmd.compare(model.head, path.suggested.result.head, data, people["test"], twins["test"])
Comparison(colour: improved, 64.1 to 14.1 points, accuracy 45.1 points (40.0 to 50.0), 450 people)
>>> levels = data.attribute("colour").codes[people["validation"].rows]
>>> rivals = fmd.rival_heads(
...     model.head, people["train"], scores, [twins["external"]], people["validation"], levels,
...     k=50, damping=model.damping,
... )
>>> rivals[0]
Rival(without harmful, k = 50, LinearHead(10 classes, 64 features))

What was found can be handed on and opened again; so can the model.

>>> audit = fmd.audit_bias(model.head, data, people["test"], [twins["test"]])
>>> evidence = fmd.Evidence(data, model, audit, 0.05, scores, 10)
>>> report = fmd.build_report(evidence)
>>> fmd.read_report(fmd.report_json(report).encode())
OpenedReport(Coloured digits, written ..., as written)
>>> page = fmd.render_report(evidence, report=report)
>>> fmd.render_page(report, {}) in page  # which has pictures as well
False
>>> with TemporaryDirectory() as folder:
...     fmd.save_classifier(model, Path(folder, "model.safetensors"))
...     fmd.load_classifier(Path(folder, "model.safetensors")).fingerprint == model.fingerprint
True
>>> fmd.deepened(model, "two layers").head
MLPHead(10 classes, 64 hidden units, 1024 features)

Everything at once, worst first, with what could not be tested; and the whole procedure as one object.

>>> study = fmd.Study(data, model, aim="colour")
>>> study
Study(Coloured digits, small_cnn)
>>> verdict = study.verdict()
>>> verdict.outcome.value, verdict.attribute
('beyond the limit', 'colour')

A DataFrame and a model of one's own.

>>> import pandas as pd
>>> from sklearn.linear_model import LogisticRegression
>>> skill = np.arange(600) % 7
>>> frame = pd.DataFrame({"sex": ["f", "m", "m"] * 200, "skill": skill, "hired": np.where(skill > 3, "yes", "no")})
>>> own = fmd.table(frame, target="hired", protected=["sex"])
>>> train = own.rows("train")
>>> estimator = LogisticRegression().fit(own.source.read(train), own.target.codes[train])
>>> fmd.wrap(estimator, data=own).head
LinearHead(2 classes, 3 features)

The answers of another system, which cannot be asked about anybody's twin.

>>> rows = own.rows("test")
>>> said = fmd.Answered(rows, own.target.codes[rows], own.target.codes[rows])
>>> fmd.give_verdict(own, said, None, favourable="yes").judges.value
'held-out test people'

What there is, by name; more of each can be registered from outside.

>>> [strategy.name for strategy in fmd.strategies()]
['iterated', 'paper-remove', 'paper-replace', 'paper-external', 'retained']
>>> fmd.find_strategy("iterated").uses_k
False
>>> fmd.find_kind("image").plural, fmd.register_kind(fmd.find_kind("table")).plural
('images', 'tables')
>>> from fmd_core.unlearn.baselines import baselines
>>> fmd.register_baseline(baselines()[0])  # it is there already
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

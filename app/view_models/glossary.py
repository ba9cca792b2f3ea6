"""Every term that a screen uses, in words for people without statistics. The only place for them.

The Method & glossary page lists them; other pages show one as a tooltip: `help=glossary.tip("Twin")`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fmd_core.method import strategies


def _strategies() -> Iterable[str]:
    return (word for strategy in strategies() for word in (strategy.name, strategy.title))


def _baselines() -> Iterable[str]:
    from fmd_core.unlearn.baselines import baselines  # half a second, and only a search asks

    return (baseline.name for baseline in baselines())


@dataclass(frozen=True)
class Term:
    """What a word means here, and what it must not be taken for."""

    name: str
    meaning: str
    is_not: str
    also: tuple[str, ...] = ()  # other words that people look for
    names: Callable[[], Iterable[str]] = tuple
    """Names that belong to it, asked for when somebody searches."""

    @property
    def anchor(self) -> str:
        """Its place on the page, as Streamlit makes it from the heading."""
        humps = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", re.sub(r"[’']", "", self.name))
        return re.sub(r"[^a-z0-9]+", "-", humps.lower()).strip("-")

    @property
    def tip(self) -> str:
        """The whole entry as a tooltip."""
        return f"{self.meaning} {self.is_not}"

    @property
    def called(self) -> str:
        """Its name and the other words for it, in small letters."""
        return " ".join((self.name, *self.also, *self.names())).lower()

    def answers(self, words: str) -> bool:
        """Whether every word that is looked for occurs in the entry."""
        text = f"{self.called} {self.meaning} {self.is_not}".lower()
        return all(word in text for word in words.lower().split())


TERMS: tuple[Term, ...] = (
    Term(
        "Accuracy",
        "The share of people for whom the model's answer is right.",
        "It is not fairness: a model can be right for most people and wrong for one group.",
    ),
    Term(
        "Adjusted for looking at many",
        "Who looks at twenty groups will find one that stands out by luck alone. The bar is raised so far that what "
        "still stands out is unlikely to be luck.",
        "It is not a correction of the figure itself, only of how readily we call it a finding. Find asks many "
        "questions at once and raises the bar; Fix asks one alone. So Fix may say “beyond” where Find says “cannot be "
        "said”, and never the other way round.",
        ("asked alone", "adjusted p", "multiple testing", "Benjamini Hochberg", "false discovery"),
    ),
    Term(
        "Calibrated bias",
        "The bias between probabilities after the model was made as sure as it is right, by one number that validation "
        "people set. A network that is sure of nothing has little bias between probabilities, and answers people no "
        "more alike.",
        "It is not another bias: it is the same one, compared at equal sureness.",
        ("bias at equal sureness", "temperature"),
    ),
    Term(
        "Counterfactual bias",
        "How far the model's answer moves, on average, when only one attribute is changed: 0 points if it never "
        "matters, 100 if it decides everything.",
        "It is not the share of people who are treated wrongly, and it says nothing of attributes that were not "
        "tested.",
        ("bias", "twins answered differently"),
    ),
    Term(
        "Decision flip",
        "A pair of twins who get two different answers.",
        "It is not every change: a model can become much less sure and still give the same answer.",
        ("flips",),
    ),
    Term(
        "Demographic parity",
        "Both groups get an answer equally often. The gap is how many points more often the group that training tied "
        "to the answer gets it; 0 is even.",
        "It does not ask who deserves the answer: if the groups truly differ, a perfect model shows a gap.",
        ("groups answered differently", "statistical parity"),
    ),
    Term(
        "Disparate impact",
        "The same comparison as a ratio: how often those against the pattern get the answer, divided by how often "
        "those with the pattern do. 1 is even.",
        "It is not a verdict in law, though some rules of thumb call less than 0.8 a warning.",
        ("four-fifths rule", "ratio"),
    ),
    Term(
        "Effect",
        "How many points the bias is predicted to change if this one training sample had not been there. A minus sign "
        "means that the bias would fall.",
        "It is not a measurement, and the effects of many samples do not simply add up.",
        ("removal effect", "score", "influence score"),
    ),
    Term(
        "Equal opportunity",
        "Among those who truly belong to a class, both groups are recognised equally often; the gap is by how many "
        "points they are not.",
        "It does not look at people who are given the class by mistake; equalized odds does.",
        ("groups with equal truth answered differently", "true positive rate"),
    ),
    Term(
        "Equalized odds",
        "Both groups are recognised equally often, and both are mistaken for the class equally often. The figure is "
        "the larger of the two gaps.",
        "As the larger of two gaps it is hardly ever exactly 0, not even for a fair model.",
    ),
    Term(
        "Every group counted alike",
        "The mean of how often each group of one class and one attribute value is answered right: a rare group counts "
        "as much as a frequent one.",
        "It is not overall accuracy, and a group of a handful of people moves it by chance.",
        ("balanced accuracy", "unbiased accuracy", "every group alike"),
    ),
    Term(
        "Excess (beyond the placebo)",
        "The bias between matched twins less the bias between placebo twins: what is left for the attribute itself.",
        "It is not the whole distance between two real people; what they differ in besides is taken off.",
        ("beyond the placebo", "bias beyond placebo"),
    ),
    Term(
        "External samples",
        "The part of the data that decides the fix. The model never learned from them, and they do not judge it "
        "afterwards.",
        "They are not from outside: they come from the same data set, put aside.",
        ("external pairs", "external twins"),
    ),
    Term(
        "Feature unlearning",
        "Making the model forget an attribute itself: what it computes of a sample should no longer tell the "
        "attribute, while the task is still done.",
        "It is not the same as giving both twins one answer: a model can treat people alike and still know who they "
        "are.",
        ("forget an attribute", "concept erasure", "LEACE"),
    ),
    Term(
        "Fingerprint",
        "A short code computed from every number in the last layer. The same code means the same layer, bit for bit.",
        "It is not a measure of quality, and two similar models do not have similar codes.",
        ("digest", "hash", "SHA-256"),
    ),
    Term(
        "Four parts of the data",
        "Training samples taught the model, external samples decide the fix, validation samples guard it, test samples "
        "judge it. Nobody is in two parts.",
        "They are not four data sets: all are drawn from the same one.",
        ("split", "train", "external", "validation", "test"),
    ),
    Term(
        "Fresh reader",
        "A small model that is trained, after the forgetting, to tell the attribute from what the model computes, and "
        "is judged on other people. If it does no better than guessing, the attribute is gone; "
        "up to 3 points better is called barely.",
        "It is not the adversary of the training: beating one's own adversary is not forgetting.",
        ("probe", "linear probe", "adversary"),
    ),
    Term(
        "Grad-CAM",
        "A rough map of where in the picture the network's last picture layer finds what speaks for an answer.",
        "It does not show what speaks against the answer, nor the exact outline.",
        ("where the model looks", "heat map"),
    ),
    Term(
        "Guard",
        "A rule that every strength must pass on validation samples: overall accuracy may fall by no more than you "
        "allow, no class by more than 5 points or be given up, and the bias may not rise.",
        "It does not watch every group; who pays is measured afterwards. What it refuses you can still apply.",
        ("refused", "allowed", "tolerance"),
    ),
    Term(
        "Harmful sample",
        "A training sample that taught the bias: without it the bias is predicted to be lower.",
        "It is not a wrong or bad sample, and says nothing against the person in it.",
        ("teacher of the bias",),
    ),
    Term(
        "Held-out people",
        "People whom neither the model nor the fix has learned from, so they can judge both.",
        "They are not people from elsewhere: on other data the figures may be different.",
        ("test samples",),
    ),
    Term(
        "Helpful sample",
        "A training sample that works against the bias: without it the bias is predicted to be higher.",
        "It is not a sample that the model gets right; many of them it gets wrong.",
        ("witness against the bias",),
    ),
    Term(
        "In force",
        "The model that every page speaks of now: the original, or the variant that you applied last.",
        "It is not a change to your file; the original stays as it is and one click brings it back.",
        ("variant", "apply", "undo"),
    ),
    Term(
        "Influence",
        "A calculation of what the model would be like had one training sample been missing, without training it "
        "again.",
        "It is a prediction, not a fact. “Check these scores” shows how good it is.",
        ("influence function",),
    ),
    Term(
        "Integrated gradients",
        "Starts from an average sample, changes it step by step into this one and notes what each part adds to the "
        "answer: blue speaks for it, orange against it.",
        "It does not say why, nor what would happen if that part were different; twins show that.",
        ("where the model looks", "heat map"),
    ),
    Term(
        "Interval (95 %)",
        "The range in which the figure would most likely lie if we could ask everybody like these people, not only "
        "those in the data. Fewer people make it wider.",
        "It is not the range of single people, and it knows nothing of errors in the data.",
        ("confidence interval", "whiskers", "uncertainty", "bootstrap"),
    ),
    Term(
        "K",
        "How many training samples to list or to take out, counted from the most harmful.",
        "It is not a natural border: the sample that comes next is nearly as harmful as the last one listed.",
        ("how many", "top K"),
    ),
    Term(
        "Last layer",
        "The last step of the model, which turns what it has seen into an answer. Only it is changed, or the last two "
        "layers if you choose so.",
        "What the layers below have learned to see is not unlearned; it is only no longer used in the same way.",
        ("head", "encoder", "frozen", "two layers", "what may change"),
    ),
    Term(
        "Learning on",
        "A copy of the network is trained a little further, on training and external samples, for what should "
        "improve. People who did not teach it choose how far: accuracy may fall by no more than you allow, no class "
        "may be given up, and neither the worst group nor the calibrated bias may get worse by more than chance. Where "
        "a group is small among validation people, external people choose too, for a second network that did not "
        "learn from them.",
        "It does not make the network forget who people are, and the original is never touched.",
        ("deeper", "last block", "whole network"),
    ),
    Term(
        "Limit",
        "How many points twins, or two groups, may be apart before you call it biased. A difference counts as beyond "
        "it when its whole 95 % interval lies above, also after adjusting for looking at many. Each kind of difference "
        "can have a limit of its own.",
        "It is not a threshold from law or science: you set it, and the report says where.",
        ("threshold",),
    ),
    Term(
        "Log-odds",
        "A scale for how sure the model is: 0 is undecided, each step up of 0.7 doubles the odds.",
        "It is not a probability.",
        ("nats", "contributions"),
    ),
    Term(
        "Looks mislabelled",
        "A mark on a training sample whose label contradicts what the others teach: a fit that never saw it finds its "
        "label less likely than is usual for samples labelled so, and another label as likely as is usual for that "
        "one (confident learning, Northcutt and others 2021; five fits of the last layer).",
        "It is not a finding that the label is wrong: whoever goes against a shortcut looks mislabelled to a model "
        "that follows it. Look at the sample.",
        ("wrong label", "label noise", "confident learning"),
    ),
    Term(
        "Loss of a group",
        "How surprised the model is, on average, by the true class of the people of one group: 0 if it is sure of "
        "every truth. It is shown in hundredths, called points.",
        "It is not a share of people: a loss of 100 points does not mean that everybody is answered wrong.",
        ("cross-entropy",),
    ),
    Term(
        "Match distance",
        "How unlike two matched twins are, as the model sees them: 0 is the same, 1 as unlike as two strangers of one "
        "class.",
        "It is not a judgement on the people, and it does not see what the model does not see.",
        ("matched twins", "most alike"),
    ),
    Term(
        "McNemar’s test",
        "Counts the people whose answer went from right to wrong and from wrong to right, and asks whether so uneven a "
        "count could be luck.",
        "It does not look at people whose answer stayed the same, however many there are.",
        ("p-value", "beyond chance", "more than chance"),
    ),
    Term(
        "Mixed-up answers",
        "A table with the true class down and the model's answer across. What lies off the diagonal is a mistake.",
        "It does not say who makes a mistake costly; that is for people to judge.",
        ("confusion matrix",),
    ),
    Term(
        "n",
        "How many people or pairs a figure rests on. Below 30 no figure is shown.",
        "A large n is not proof that the people are like those you care about.",
        ("sample size", "not enough people to say"),
    ),
    Term(
        "Not enough people to say",
        "Fewer than 30 people stand behind the figure, so that it would say more about chance than about the model.",
        "It does not mean that there is no bias.",
        ("n = 7", "too few"),
    ),
    Term(
        "Our suggestion",
        "Of all settings that pass the guard, the cheapest that brings what is aimed at within its limit on validation "
        "people, and leaves nobody who is served worst worse off; where none does, the one that comes nearest. "
        "Cheapest is what costs least accuracy, then what changes fewest answers.",
        "It is no promise: few validation people make it uncertain, how many there are stands beside it, and test "
        "people judge.",
        ("suggested", "star"),
    ),
    Term(
        "Part of the way",
        "A blend: the last layer is moved only some of the way from the original to the unlearned one, such as 75 %.",
        "It is not a share of the bias: half of the way may take out most of it.",
        ("blend", "% of the way"),
    ),
    Term(
        "Passport",
        "What was found when a file with weights was opened: its size, its layers, the checks it passed and its "
        "fingerprint.",
        "It is not a certificate that the model is good or fair.",
        ("weights",),
    ),
    Term(
        "Placebo twins",
        "Two real people matched in the same way who share the attribute. How far their answers lie apart is what "
        "matching alone costs.",
        "They are not evidence of bias: they are what bias is measured against.",
        ("control", "matched twins"),
    ),
    Term(
        "Planted samples",
        "Samples that we put into the training data ourselves to see whether the bias then moves the way their score "
        "says.",
        "They are not kept: the test is over when the model was fitted once with each of them.",
        ("check these scores", "self-test"),
    ),
    Term(
        "Points",
        "The difference between two percentages: from 60 % to 83 % is 23 points.",
        "They are not per cent of the old figure: 23 points on 60 % is 38 % more.",
        ("percentage points",),
    ),
    Term(
        "Predictive equality",
        "Among those who do not belong to a class, both groups are taken for it equally often; the gap is by how many "
        "points they are not. With two classes it is about the people of the other class than equal opportunity.",
        "It does not look at people who belong to the class and are missed; equal opportunity does.",
        ("false alarms", "false positive rate", "groups falsely given an answer differently"),
    ),
    Term(
        "Protected attribute",
        "What should not matter to the answer, such as sex, age or the colour of the ink.",
        "It need not be something the model is told: it may find it out by itself.",
        ("attribute under review", "sensitive attribute"),
    ),
    Term(
        "Refit",
        "The last layer is fitted again from the data, without certain samples or on other ones: what really happens, "
        "in place of a prediction.",
        "It is not a new training of the whole network; the layers below stay.",
        ("retrain", "deep feature reweighting"),
        _baselines,
    ),
    Term(
        "Sample",
        "One of the things that the data are made of: a picture, a record or a text. Where the data have a word of "
        "their own, such as face or digit, screens and reports use that.",
        "It is not a part drawn from a whole, as in statistics.",
    ),
    Term(
        "Seed",
        "The number that chance starts from. The same seed gives the same result again.",
        "It is not a setting to tune: a result that holds for one seed only does not hold.",
    ),
    Term(
        "Selection rate",
        "How often a group gets an answer.",
        "It does not say whether the answer is right.",
    ),
    Term(
        "Step share",
        "What part of a published single step strength 1 stands for. The step is shortened where it would move the "
        "last layer by more than its own size, the trust radius.",
        "It is not a choice of yours, and not how much of the bias is taken out.",
        ("trust radius", "published step"),
    ),
    Term(
        "Strength",
        "How firmly the model is told to answer twins alike, or groups alike on average. 0 is the original model.",
        "More is not always better: beyond some point accuracy pays for it.",
        ("slider",),
    ),
    Term(
        "Test samples",
        "The part of the data that judges the fix, and takes no part in anything before.",
        "They are not asked twice with different aims: what guards the fix are the validation samples.",
        ("held-out people",),
    ),
    Term(
        "The pattern",
        "What training ties an attribute to: for each class the value that stands out most among its training "
        "samples, being more common there than in training as a whole, as red ink on the digit 0. Who shows that value "
        "goes with the pattern, everyone else of the class against it.",
        "It is not what is right or normal, only what the training samples happen to show.",
        ("with the pattern", "against the pattern", "bias-aligned", "bias-conflicting", "privileged"),
    ),
    Term(
        "Trained beside it",
        "Published methods that train a network of the same make on the same people from the beginning: GroupDRO is "
        "told who belongs to which group, JTT, LfF, ReBias and LDR are not. They show what could be had instead.",
        "They are not tuned: each runs with one setting of its publication, and its authors may reach more.",
        ("groupdro", "jtt", "lff", "rebias", "ldr", "d3m"),
    ),
    Term(
        "Training samples",
        "The part of the data that the model learned from, and so the only place to look for who taught it a bias.",
        "They do not judge the model: it knows their answers.",
        ("train",),
    ),
    Term(
        "Twin",
        "The same sample with only one attribute changed: drawn again, changed in the record, or the real person who "
        "is most like it.",
        "It is not a copy with a new label: the right answer stays the same.",
        ("counterfactual pair", "generated", "flipped", "matched twins"),
    ),
    Term(
        "Unlearning",
        "Changing a trained model so that it no longer relies on something it was taught, without training it anew.",
        "It is not deleting data: the samples stay where they are.",
        ("take it out", "debias"),
        _strategies,
    ),
    Term(
        "Validation samples",
        "The part of the data that guards the fix: every strength is tried on them before you see it.",
        "They do not have the last word; the test samples do.",
    ),
    Term(
        "Verdict",
        "Improved: the bias fell by more than chance, fewer decisions flip, and nobody pays: no group lost accuracy "
        "beyond chance and beyond 1 point, no class was given up, and whoever is served worst is served no worse. "
        "Mixed: some of that, but not all. Worse: the bias rose, or somebody pays for nothing.",
        "“No evidence” does not mean no change: there may be too few people to see it.",
        ("did it really work",),
    ),
    Term(
        "Who pays",
        "Every class, every attribute value and every pair of them is compared before and after; those who lost "
        "accuracy by more than chance are named.",
        "Nobody named does not mean that nobody lost: in small groups a loss cannot be told from chance.",
        ("losers", "side effects", "groups"),
    ),
    Term(
        "Worst group",
        "Of all groups of one class and one attribute value, the one that the model is right about least often, as "
        "external and validation samples say, of those with at least 10 of them. Its lag is how many points less often "
        "it is answered right than everybody else.",
        "It is not chosen by test samples, who judge. Of a group with fewer samples nobody can say whether it is "
        "served worse still.",
        ("whoever is served worst", "lag", "served worst"),
    ),
)

_BY_NAME = {entry.name: entry for entry in TERMS}


def term(name: str) -> Term:
    """The entry of that name. KeyError: there is none."""
    return _BY_NAME[name]


def tip(*names: str) -> str:
    """The entries as a tooltip; several stand in a paragraph each, with their names."""
    found = [term(name) for name in names]
    if len(found) == 1:
        return found[0].tip
    return "\n\n".join(f"**{entry.name}:** {entry.tip}" for entry in found)


def find(words: str) -> tuple[Term, ...]:
    """Terms whose entry holds every one of the words, those named so first; all for no words."""
    needle = words.strip().lower()
    found = [entry for entry in TERMS if entry.answers(words)]
    return tuple(sorted(found, key=lambda entry: needle not in entry.called))

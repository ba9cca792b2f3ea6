"""The method in five steps, with its formulas and sources: text only."""

from __future__ import annotations

from dataclasses import dataclass

from app.view_models import glossary
from fmd_core.method import strategies


@dataclass(frozen=True)
class Formula:
    """A formula as LaTeX, and what it says in words."""

    words: str
    latex: str


@dataclass(frozen=True)
class Step:
    """One step of the story; `picture` is a name in app.view_models.method_pictures."""

    title: str
    text: str
    picture: str
    terms: tuple[str, ...]  # of the glossary
    formulas: tuple[Formula, ...]
    note: str = ""  # under the formulas
    lists_strategies: bool = False
    """Whether the formulas of the strategies belong to it."""

    @property
    def all_formulas(self) -> tuple[Formula, ...]:
        """Its formulas, and those of every strategy that has one."""
        if not self.lists_strategies:
            return self.formulas
        found = (
            Formula(strategy.formula_words, strategy.formula) for strategy in strategies() if strategy.formula
        )
        return (*self.formulas, *found)


def links(step: Step) -> tuple[tuple[str, str], ...]:
    """Name and anchor of the terms of one step."""
    return tuple((glossary.term(name).name, glossary.term(name).anchor) for name in step.terms)


STEPS = (
    Step(
        "Share the data out in four",
        "Every sample, as a picture, a record or a text is called here, plays exactly one part. One part taught the "
        "model, one decides the fix, one guards it and one judges it. Whoever helps to decide a fix cannot be the one "
        "to say that it worked.",
        "parts",
        ("Four parts of the data", "Held-out people", "Protected attribute"),
        (),
    ),
    Step(
        "Ask the model about twins",
        "A twin is the same sample with one attribute changed: the same digit in another ink, the same record with "
        "another sex. A model that looks at what matters says the same to both. How far its two answers lie apart, on "
        "average, is the bias. Where nothing can be redrawn, the twin is the real person who is most like it, and "
        "placebo twins show what that likeness alone costs.",
        "twins",
        ("Twin", "Placebo twins", "Counterfactual bias", "Decision flip"),
        (
            Formula(
                "Counterfactual bias: the mean change of the probability of the true class y between the two sides of "
                "m pairs, for a last layer with parameters θ. Of matched twins the same mean over placebo twins is "
                "taken off.",
                r"B(\theta)=\frac{1}{m}\sum_{i=1}^{m}\bigl|\,P_\theta(y_i\mid c_i)-P_\theta(y_i\mid\bar c_i)\,\bigr|",
            ),
            Formula(
                "The gap between groups, if that is what counts as bias: people whose attribute goes with the pattern "
                "of class k against all others; for equal opportunity only those who truly belong to k, for "
                "predictive equality only those who do not.",
                r"\begin{aligned}B(\theta)=\bigl|\,&\operatorname{mean}_{\text{with the pattern}}P_\theta(k\mid x)\\"
                r"-\;&\operatorname{mean}_{\text{others}}P_\theta(k\mid x)\,\bigr|\end{aligned}",
            ),
        ),
        "Twins: Chen et al. 2023, Kusner et al. 2017. Groups: Hardt et al. 2016, on probabilities in place of "
        "decisions. Group metrics by aif360: Bellamy et al. 2018.",
    ),
    Step(
        "Find who taught it that",
        "Had one training sample been missing, the model would be a little different, and so would its bias. A "
        "calculation predicts by how much, for every sample, without training again. If the bias would be lower, the "
        "sample is harmful; if higher, helpful. Press “Check these scores” and the last layer is really fitted again, "
        "so that you see how good the predictions are.",
        "influence",
        ("Influence", "Harmful sample", "Helpful sample", "Effect", "Refit"),
        (
            Formula(
                "Influence of a training sample z: the slope of its loss L, through the curvature H of the training "
                "loss (with damping λ), on the bias.",
                r"I(z)=-\nabla B(\hat\theta)^{\!\top}\,(H+\lambda I)^{-1}\,\nabla L(z,\hat\theta)",
            ),
            Formula(
                "Its effect: the change of the bias if z were left out of the n training samples. On small data the "
                "sample is taken out of H as well.",
                r"B(\hat\theta_{-z})-B(\hat\theta)\;\approx\;-\frac{I(z)}{n}",
            ),
            Formula(
                "For groups, one step with the curvature of those who stay; g is the share of those who go in the "
                "slope of the training loss.",
                r"\theta=\hat\theta+(H_{\text{kept}}+\lambda I)^{-1}g",
            ),
        ),
        "Chen et al. 2023, Koh and Liang 2017; why single effects do not add up: Basu et al. 2020.",
    ),
    Step(
        "Take it out",
        "Only the last layer is changed (the last two, if you choose so), and only in a copy. It is fitted so that "
        "both twins get the right answer and the same answer; the strength says how much the second counts. A guard "
        "tries every strength on validation samples and refuses those that cost more accuracy than you allow. The "
        "original is kept as it was, bit for bit, and every step can be taken back.",
        "layers",
        ("Unlearning", "Last layer", "Strength", "Guard", "Our suggestion", "Part of the way", "Step share"),
        (),
        "Single steps: Chen et al. 2023. The iterated form and the guard are our own; that the last layer alone can "
        "unlearn much was shown by Kirichenko et al. 2023.",
        lists_strategies=True,
    ),
    Step(
        "Check that it worked",
        "Test samples, who took no part so far, are asked before and after. What is measured on them comes with a 95 % "
        "interval and the number of people behind it; fewer than 30 give no figure. The result stands beside simpler "
        "fixes, and every group is looked at: who pays?",
        "checks",
        ("Interval (95 %)", "n", "Verdict", "Who pays", "Adjusted for looking at many", "McNemar’s test"),
        (
            Formula(
                "Means and their differences: 2,000 times n people are drawn from the n people with replacement, the "
                "same ones before and after; the interval holds the middle 95 % of the results.",
                r"\bigl[\,q_{2.5\,\%}(\bar d^{\,*}),\;q_{97.5\,\%}(\bar d^{\,*})\,\bigr]",
            ),
            Formula(
                "A rate of s in n people, by Wilson, with z = 1.96:",
                r"\frac{s+z^2/2}{n+z^2}\;\pm\;\frac{z}{n+z^2}\sqrt{\frac{s\,(n-s)}{n}+\frac{z^2}{4}}",
            ),
            Formula(
                "Whether a group lost more than chance would have it, by McNemar: b people went from right to wrong, c "
                "from wrong to right. Where people count unequally, b and c are as many as count alike, by what counts "
                "on either side.",
                r"p=\min\Bigl(1,\;2\sum_{j=0}^{\min(b,c)}\binom{b+c}{j}\,2^{-(b+c)}\Bigr)",
            ),
            Formula(
                "Adjusted for looking at m groups, by Benjamini and Hochberg; p is sorted from small to large.",
                r"p^{\text{adj}}_{(i)}=\min_{j\ge i}\;\min\Bigl(1,\;\frac{m}{j}\,p_{(j)}\Bigr)",
            ),
        ),
        "Wilson 1927, McNemar 1947, Benjamini and Hochberg 1995, Efron and Tibshirani 1993.",
    ),
)

LIMITS = (
    "**Only what the pairs show is seen.** An attribute that nobody changed, or that the data do not hold, is neither "
    "found nor unlearned.",
    "**It needs the model's weights.** A model that can only be asked, not opened, can be measured by its answers "
    "elsewhere, but not unlearned here.",
    "**Unlearning changes only the last layer or two unless the network is let learn on.** What the layers below have "
    "learned to see is still there. Deeper on the Fix page and training against an attribute change those too: the "
    "guard judges both, on people who did not teach, and fresh readers the second.",
    "**The figures hold for people like those in the data.** Elsewhere they may be different.",
    "**It is evidence, not a verdict in law.** Which difference matters is for people to decide.",
)


@dataclass(frozen=True)
class Source:
    """A publication, and what it is used for here."""

    title: str
    where: str  # authors and venue
    used_for: str
    arxiv: str = ""

    @property
    def line(self) -> str:
        """One line of Markdown."""
        link = f" [arXiv {self.arxiv}](https://arxiv.org/abs/{self.arxiv})." if self.arxiv else ""
        return f"**{self.title}.** {self.where}.{link} *{self.used_for}.*"


SOURCES = (
    Source(
        "Fast Model Debias with Machine Unlearning",
        "Chen, Yang, Xiong, Bai, Hu, Hao, Feng, Zhou, Wu, Liu. NeurIPS 2023",
        "The method of this dashboard",
        "2310.12560",
    ),
    Source(
        "Understanding Black-box Predictions via Influence Functions",
        "Koh, Liang. ICML 2017",
        "Influence",
        "1703.04730",
    ),
    Source(
        "On Second-Order Group Influence Functions for Black-Box Predictions",
        "Basu, You, Feizi. ICML 2020",
        "Why effects do not add up",
        "1911.00418",
    ),
    Source(
        "Last Layer Re-Training is Sufficient for Robustness to Spurious Correlations",
        "Kirichenko, Izmailov, Wilson. ICLR 2023",
        "The refit on twins that unlearning is held against",
        "2204.02937",
    ),
    Source(
        "Counterfactual Fairness",
        "Kusner, Loftus, Russell, Silva. NeurIPS 2017",
        "What a twin asks",
        "1703.06856",
    ),
    Source(
        "Equality of Opportunity in Supervised Learning",
        "Hardt, Price, Srebro. NeurIPS 2016",
        "Equal opportunity and equalized odds",
        "1610.02413",
    ),
    Source(
        "AI Fairness 360: An Extensible Toolkit for Detecting, Understanding, and Mitigating Unwanted Algorithmic Bias",
        "Bellamy and others. 2018",
        "Group metrics",
        "1810.01943",
    ),
    Source(
        "Axiomatic Attribution for Deep Networks",
        "Sundararajan, Taly, Yan. ICML 2017",
        "Integrated gradients",
        "1703.01365",
    ),
    Source(
        "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
        "Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra. ICCV 2017",
        "Grad-CAM",
        "1610.02391",
    ),
    Source(
        "Controlling the False Discovery Rate: A Practical and Powerful Approach to Multiple Testing",
        "Benjamini, Hochberg. Journal of the Royal Statistical Society B 57, 1995",
        "Adjusted for looking at many",
    ),
    Source(
        "Note on the Sampling Error of the Difference Between Correlated Proportions or Percentages",
        "McNemar. Psychometrika 12, 1947",
        "Who lost by more than chance",
    ),
    Source(
        "Probable Inference, the Law of Succession, and Statistical Inference",
        "Wilson. Journal of the American Statistical Association 22, 1927",
        "Intervals of rates",
    ),
    Source(
        "An Introduction to the Bootstrap",
        "Efron, Tibshirani. Chapman and Hall 1993",
        "Intervals of means and differences",
    ),
    Source(
        "A Well-Conditioned Estimator for Large-Dimensional Covariance Matrices",
        "Ledoit, Wolf. Journal of Multivariate Analysis 88, 2004",
        "How alike two matched twins are",
    ),
)

"""What a strategy is, and the list of all that there are: nobody else knows them by name.

A strategy is a value. To add one, write it in a module of its own, `register` it there, and name that
module in STRATEGY_MODULES; a program that is no part of FMD Studio just registers it. Screens, glossary,
report, guard and the published comparison ask the value.

A `Method` is a way to a variant that has no ladder of strengths, such as erasing an attribute from the
features. Reports and journals keep the names of both, so they share one list.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, get_args

from fmd_core.errors import DataError
from fmd_core.showing import one_line

if TYPE_CHECKING:
    from fmd_core.heads.protocol import Head

Need = Literal["pairs", "curvature", "scores", "training twins"]
"""What a strategy asks for beside external and training samples: that the bias is one between twins, and the
fields `curvature`, `scores` and `train_pairs` of its inputs."""
NEEDS: tuple[Need, ...] = get_args(Need)
DEFAULT_STRATEGY = "iterated"
STRATEGY_MODULES = ("fmd_core.unlearn.strategies", "fmd_core.unlearn.retained")
METHOD_MODULES = (
    "fmd_core.influence.removal",
    "fmd_core.forget.erasure",
    "fmd_core.forget.adversarial",
    "fmd_core.forget.channels",
    "fmd_core.unlearn.deeper.planning",
)
"""Where ours are registered. They are imported when somebody first looks one up: they stand on this module."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")  # it stands in addresses and reports


@dataclass(frozen=True, eq=False)
class Mover:
    """One strategy made ready: the dear part is done, moving to a strength is cheap."""

    move: Callable[[float, Head], Head]
    """Head at a strength, searched from the given head; strength 0 gives the original object."""
    step_share: float = 1.0  # share of the published step that the trust region allows

    def __repr__(self) -> str:
        return one_line(self, f"step share {self.step_share:.3g}")


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to a variant of the model."""

    name: str
    """As reports, journals and addresses keep it: small letters, digits and hyphens."""
    title: str
    """On screens."""
    short: str = ""
    """The same in two or three words, for a row of buttons."""
    retrains: bool = False
    """Whether it changes more than the last layers."""
    forgets: bool = False
    """Whether features are to forget an attribute or a pattern; fresh readers say what is left of it."""
    leaves_out_excluded: bool = False
    """Whether the model did not learn from the training samples that the reviewer excluded."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise DataError(
                f"'{self.name}' cannot be the name of a method: use up to 40 small letters, digits and hyphens."
            )

    @property
    def title_in_report(self) -> str:
        """What a report calls it."""
        return self.title


@dataclass(frozen=True, kw_only=True)
class Strategy(Method):
    """A way to unlearn with a ladder of strengths, which the guarded path climbs.

    Parameters
    ----------
    note : what it does, in a sentence or two.
    prepare : takes the head, the inputs (`fmd_core.UnlearningInputs`) and K, does what every strength
        needs, and gives a `Mover`. The inputs hold whatever `needs` names; it is not asked with K = 0.
    strengths : the ladder, ascending, above 0. Each is searched from the one before.
    """

    note: str
    prepare: Callable[[Head, Any, int], Mover]
    strengths: tuple[float, ...]
    needs: frozenset[Need] = frozenset()
    searches_blends: bool = False
    """Whether the path also tries heads between the original and each solution; of a single step the smaller
    strengths are those already."""
    group_note: str = ""
    """What it does where the bias is a gap between groups; the `note` if that says it."""
    worst_note: str = ""
    """What it does where whoever is served worst is to be served better; the `note` if that says it."""
    strength_name: str = "strength"
    """What a strength of it is called."""
    formula: str = ""
    """What it computes, as LaTeX."""
    formula_words: str = ""
    """The same as the beginning of a sentence."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if unknown := self.needs - set(NEEDS):
            raise DataError(f"Unknown need '{min(unknown)}' of '{self.name}'. Needs are: {', '.join(NEEDS)}.")
        ladder = self.strengths
        if not ladder or ladder[0] <= 0 or list(ladder) != sorted(set(ladder)):
            raise DataError(f"The strengths of '{self.name}' must ascend from above 0, got {ladder}.")

    def __repr__(self) -> str:
        return one_line(self, self.name, self.title, f"{len(self.strengths)} strengths")

    @property
    def uses_k(self) -> bool:
        """Whether it takes the K most harmful training samples; the scores say which they are."""
        return "scores" in self.needs

    @property
    def title_in_report(self) -> str:
        """With its name, which tells others what to ask for."""
        return f"{self.title} ({self.name})"


_known: dict[str, Method] = {}


def register(method: Method) -> None:
    """Put a strategy or another method on the list. Raises DataError for a name that is taken."""
    if _known.get(method.name, method) != method:
        raise DataError(f"There is a method '{method.name}' already; choose another name.")
    _known[method.name] = method


def unregister(name: str) -> None:
    """Take a method off the list, for a program that goes on without it."""
    _known.pop(find_method(name).name)


def strategies() -> tuple[Strategy, ...]:
    """Every strategy, the default first."""
    _import(STRATEGY_MODULES)
    found = [method for method in tuple(_known.values()) if isinstance(method, Strategy)]
    return tuple(sorted(found, key=lambda strategy: strategy.name != DEFAULT_STRATEGY))


def default_strategy(twins: str) -> str:
    """The strategy to begin with, by how twins are made: where only some samples have twins the others must not be
    forgotten. docs/text.md says by which rule the form was found better where, and a test holds both together."""
    return "retained" if twins == "swapped" else DEFAULT_STRATEGY


def find_strategy(strategy: str | Strategy) -> Strategy:
    """The strategy of that name; a value is what it is. Raises DataError, with the names there are."""
    if isinstance(strategy, Strategy):
        return strategy
    every = {each.name: each for each in strategies()}
    if strategy not in every:
        raise DataError(f"Unknown strategy '{strategy}'. Choose one of: {', '.join(every)}.")
    return every[strategy]


def methods() -> tuple[Method, ...]:
    """Every way to a variant: the strategies, then those without a ladder of strengths."""
    _import(METHOD_MODULES)
    ladders = strategies()
    return (*ladders, *(method for method in tuple(_known.values()) if method not in ladders))


def find_method(name: str) -> Method:
    """The method of that name. Raises DataError, with the names there are."""
    every = {each.name: each for each in methods()}
    if name not in every:
        raise DataError(f"Unknown method '{name}'. Methods are: {', '.join(every)}.")
    return every[name]


def _import(modules: tuple[str, ...]) -> None:
    for module in modules:
        import_module(module)

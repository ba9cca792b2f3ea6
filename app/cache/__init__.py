"""Heavy results, computed once per content and shared by all visitors, within `bounded`'s limit. Core values
are frozen and their arrays read-only, so sharing is safe, and a result that is held no longer can be made again.

Each function takes small hashable keys and calls the one before it for its heavy input. An
argument with an underscore is no part of the key: it is told how far the work has come.

What depends on what says the study of a review (`fmd_core.Study`), whose memory this is; here stand the names by
which the dashboard asks it. Each module asks only those before it: opened, influences, fixes, judgements, patterns,
pictures, warming. All of them keep by `bounded`.
"""

from app.cache.fixes import (
    erased,
    guard,
    head,
    inputs,
    is_solved,
    named_head,
    path,
    point,
    result,
    standing,
    untouched,
    warm_path,
)
from app.cache.influences import (
    are_scored,
    known_score_check,
    known_score_checks,
    measured_effect,
    score_check,
    scores,
)
from app.cache.judgements import (
    are_answered,
    audit,
    comparison,
    forgetting,
    is_judged,
    known_forgetting,
    other_biases,
    red_flags,
    rivals,
    rivals_of,
    side_by_side,
    side_by_side_biases,
    verdict,
)
from app.cache.opened import (
    classifier,
    dataset,
    depths,
    features,
    n_inputs,
    open_data,
    pairs,
    store,
    study,
    testable,
    untested,
)
from app.cache.patterns import (
    channel_groups,
    convolutions,
    is_reliance_known,
    pattern_pictures,
    reliance,
)
from app.cache.pictures import counterparts, explainers, explanation, heat, portrait
from app.cache.warming import is_warm, warm, warm_scores
from fmd_core.study.people import changeable

__all__ = [
    "are_answered",
    "are_scored",
    "audit",
    "changeable",
    "channel_groups",
    "classifier",
    "comparison",
    "convolutions",
    "counterparts",
    "dataset",
    "depths",
    "erased",
    "explainers",
    "explanation",
    "features",
    "forgetting",
    "guard",
    "head",
    "heat",
    "inputs",
    "is_judged",
    "is_reliance_known",
    "is_solved",
    "is_warm",
    "known_forgetting",
    "known_score_check",
    "known_score_checks",
    "measured_effect",
    "n_inputs",
    "named_head",
    "open_data",
    "other_biases",
    "pairs",
    "path",
    "pattern_pictures",
    "point",
    "portrait",
    "red_flags",
    "reliance",
    "result",
    "rivals",
    "rivals_of",
    "score_check",
    "scores",
    "side_by_side",
    "side_by_side_biases",
    "standing",
    "store",
    "study",
    "testable",
    "untested",
    "untouched",
    "verdict",
    "warm",
    "warm_path",
    "warm_scores",
]

"""Words and groups: a moderation model that learned from real comments, and sentences that name one of seven groups.

It was trained on Wikipedia comments that people had rated as toxic or not, and on short sentences about other groups;
in the comments "gay" is mostly an insult. Whether it flags a sentence for the group that it names is asked with
HateCheck (Röttger et al. 2021), where the same template names each of seven groups: a sentence and its twins differ in
nothing else. Sentences of one template are in one part, and some comments are held out too, so that a fix that forgets
what the model was made for is found out.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from fmd_core.data import SPLITS, AttributeDataset, Column
from fmd_core.datasets.demos.bundled import UNREADABLE, read_verified
from fmd_core.datasets.texts.source import FirstThatCan, TemplateTwins, TermTwins, TextSource
from fmd_core.datasets.texts.terms import shipped_terms
from fmd_core.errors import DataError

NOBODY = "none of them"
GROUPS = (*shipped_terms("groups").levels, NOBODY)
ANSWERS = ("fine", "toxic")
CASES = {
    "comment": "comment",
    "madlib": "template of another group",
    "ident_neutral_nh": "neutral statement",
    "ident_pos_nh": "praise",
    "negate_neg_nh": "hate denied",
    "derog_neg_emote_h": "dislike",
    "derog_neg_attrib_h": "insult",
    "profanity_h": "hate with swearing",
    "ref_subs_clause_h": "hate in a later clause",
    "ref_subs_sent_h": "hate in a later sentence",
}
"""What each sentence is an example of: HateCheck's functionality, and how a page calls it."""
FILE = "texts.json"
_UNREADABLE = f"The demo file '{FILE}' cannot be read; restore the folder sample_data."


def load_hate_texts(folder: Path) -> AttributeDataset:
    """Read what `sample_data/build_hate_texts.py` wrote, checked against its manifest."""
    content = read_verified(folder, FILE)
    try:
        found = json.loads(content)
        return make_hate_texts(**{name: found[name] for name in _FIELDS})
    except UNREADABLE as error:
        raise DataError(_UNREADABLE) from error


_FIELDS = ("texts", "toxic", "group", "case", "template", "split", "effects")


def make_hate_texts(
    texts: list[str],
    toxic: list[int],
    group: list[int],
    case: list[int],
    template: list[int],
    split: list[int],
    effects: list[list[float]],
) -> AttributeDataset:
    """The demo from lists with an entry for each text: `toxic` 0 or 1, `group`, `case` and `split` places in GROUPS,
    CASES and SPLITS, `template` a number that the sentences of a template share, -1 for a comment; `effects` of each
    text its words' effects on the shipped model's log-odds of 'toxic', or nothing."""
    every, codes, of = tuple(texts), np.array(group), np.array(template)
    places = np.full((len(every), len(GROUPS)), -1)
    for number in np.unique(of[of >= 0]):
        rows = np.flatnonzero(of == number)
        places[np.ix_(rows, codes[rows])] = rows
    twins = FirstThatCan(
        (TemplateTwins(every, places), TermTwins(every, codes, shipped_terms("groups"))), len(GROUPS)
    )
    source = TextSource(
        every,
        {"group": twins},
        case=Column("kind of sentence", np.array(case), tuple(CASES.values())),
        word_effects=tuple(tuple(each) for each in effects),
        offensive=True,
    )
    return AttributeDataset(
        "Words and groups",
        Column("answer", np.array(toxic), ANSWERS),
        {"group": Column("group", codes, GROUPS)},
        np.array(SPLITS)[np.array(split)],
        source,
        pair_method="swapped",
        unit="sentence",
        phrases={
            "answer": {"fine": "fine {}", "toxic": "toxic {}"},
            "group": {**{one: f"{{}} about {one}" for one in GROUPS}, NOBODY: "{} about none of the groups"},
        },
        favourable="fine",
        references={
            "group": "immigrants"
        },  # every sentence is said of them too; comments about nobody are others
        persons=np.where(of >= 0, of, len(every) + np.arange(len(every))),
    )

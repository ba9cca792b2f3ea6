"""One honest verdict on a classifier: the worst of everything that was measured, in the data's own words.

    dataset, Answered, TwinAnswers -> give_verdict -> Verdict (findings, groups, warnings, what was not tested)

The dashboard, the report and `fmd audit` say the same because they ask the same function. A module for
each of the four families of findings; `values` holds what they are made of, `judging` puts them together.
"""

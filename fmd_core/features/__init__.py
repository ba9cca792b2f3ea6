"""Feature unlearning: a model forgets an attribute and keeps its task (Xu et al., arXiv 2406.10951).

forgettable says which attributes can go. erasure forgets them in closed form, adversarial by training on,
channels a pattern that nobody annotated; probes says whether it is forgotten, and forgetting puts the
account together.
"""

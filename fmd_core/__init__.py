"""Fast model debiasing with machine unlearning, without the dashboard.

dataset, classifier -> extract_features, pair_counterfactuals -> audit_bias
    -> fit_curvature -> bias_influence -> unlearning_path -> compare -> report

The names are imported when they are first used (see __init__.pyi): a page that needs one of
them does not wait for all.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

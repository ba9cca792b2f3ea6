"""Fast model debiasing with machine unlearning, without the dashboard.

dataset, classifier -> extract_features, pair_counterfactuals -> audit_bias
    -> fit_curvature -> bias_influence -> unlearning_path -> compare -> report
"""

from fmd_core.bias import (
    AttributeBias,
    BiasReport,
    audit_bias,
    counterfactual_bias,
    counterfactual_bias_gradient,
)
from fmd_core.comparison import Change, Comparison, compare
from fmd_core.counterfactual import CounterfactualPairs, pair_counterfactuals
from fmd_core.curvature import Curvature, fit_curvature
from fmd_core.data import AttributeDataset, Column, FeatureSet
from fmd_core.datasets import load_dataset, load_demo_classifier
from fmd_core.errors import DataError, FMDError, ModelError, SolverError
from fmd_core.guarded_path import Guard, PathPoint, UnlearningPath, judge_path, solve_path, unlearning_path
from fmd_core.heads import Head, LinearHead
from fmd_core.influence import InfluenceScores, bias_influence
from fmd_core.intervals import Estimate
from fmd_core.models import Classifier, Preprocess, extract_features, load_classifier, save_classifier
from fmd_core.report import Evidence, build_report, render_report
from fmd_core.training import TrainingStep, train_classifier
from fmd_core.unlearning import UnlearningInputs, UnlearningResult, unlearn

__all__ = [
    "AttributeBias",
    "AttributeDataset",
    "BiasReport",
    "Change",
    "Classifier",
    "Column",
    "Comparison",
    "CounterfactualPairs",
    "Curvature",
    "DataError",
    "Estimate",
    "Evidence",
    "FMDError",
    "FeatureSet",
    "Guard",
    "Head",
    "InfluenceScores",
    "LinearHead",
    "ModelError",
    "PathPoint",
    "Preprocess",
    "SolverError",
    "TrainingStep",
    "UnlearningInputs",
    "UnlearningPath",
    "UnlearningResult",
    "audit_bias",
    "bias_influence",
    "build_report",
    "compare",
    "counterfactual_bias",
    "counterfactual_bias_gradient",
    "extract_features",
    "fit_curvature",
    "judge_path",
    "load_classifier",
    "load_dataset",
    "load_demo_classifier",
    "pair_counterfactuals",
    "render_report",
    "save_classifier",
    "solve_path",
    "train_classifier",
    "unlearn",
    "unlearning_path",
]

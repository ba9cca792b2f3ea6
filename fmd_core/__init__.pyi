from .bias import AttributeBias, BiasReport, audit_bias
from .bias_functions import (
    BiasFunction,
    CounterfactualBias,
    GroupGap,
    JointBias,
    counterfactual_bias,
    counterfactual_bias_gradient,
)
from .comparison import Change, Comparison, compare
from .counterfactual import CounterfactualPairs, pair_counterfactuals
from .curvature import Curvature, fit_curvature
from .data import AttributeDataset, Column, FeatureSet
from .datasets import load_dataset, load_demo_classifier
from .errors import DataError, FMDError, ModelError, SolverError
from .guarded_path import Guard, PathPoint, UnlearningPath, judge_path, solve_path, unlearning_path
from .heads import Head, LinearHead
from .influence import InfluenceScores, bias_influence
from .intervals import Estimate
from .models import Classifier, Preprocess, extract_features, load_classifier, save_classifier
from .report import Evidence, build_report, render_report
from .training import TrainingStep, train_classifier
from .unlearning import UnlearningInputs, UnlearningResult, unlearn

__all__ = [
    "AttributeBias",
    "AttributeDataset",
    "BiasFunction",
    "BiasReport",
    "Change",
    "Classifier",
    "Column",
    "Comparison",
    "CounterfactualBias",
    "CounterfactualPairs",
    "Curvature",
    "DataError",
    "Estimate",
    "Evidence",
    "FMDError",
    "FeatureSet",
    "GroupGap",
    "Guard",
    "Head",
    "InfluenceScores",
    "JointBias",
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

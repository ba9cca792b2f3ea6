from .bias import AttributeBias, BiasReport, audit_bias
from .bias_functions import (
    BiasFunction,
    CounterfactualBias,
    GroupGap,
    JointBias,
    counterfactual_bias,
    counterfactual_bias_gradient,
)
from .changes import Change
from .comparison import (
    Candidate,
    Comparison,
    bias_changes,
    candidate_biases,
    compare,
    compare_candidates,
)
from .counterfactual import CounterfactualPairs, pair_counterfactuals
from .curvature import Curvature, fit_curvature
from .data import AttributeDataset, Column, FeatureSet
from .datasets import load_dataset, load_demo_classifier
from .deepening import deepened
from .errors import DataError, FMDError, ModelError, SolverError
from .features.erasure import Erased, Erasure, erase
from .features.forgetting import Forgetting, Seen, forgetting_sentence, judge_forgetting
from .features.probes import ProbeResult, probe
from .guarded_path import Guard, PathPoint, UnlearningPath, judge, judge_path, solve_path, unlearning_path
from .heads import Head, LinearHead
from .influence import InfluenceScores, bias_influence
from .intervals import Estimate
from .mlp_head import MLPHead
from .models import Classifier, Preprocess, extract_features, load_classifier, save_classifier
from .networks.explanations import Explanation, explain
from .networks.training import TrainingStep, train_classifier
from .proof import Rival, rival_heads
from .red_flags import RedFlag, red_flags
from .removal import predict_removal, refit_without
from .report.evidence import AuditTrail, Decision, Evidence, LogLine, SampleRemark
from .report.page import render_page
from .report.reading import OpenedReport, read_report
from .report.schema import Report
from .report.writing import build_report, render_report, report_json
from .scan import Finding, scan
from .score_check import ScoreCheck, check_scores
from .unlearning import UnlearningInputs, UnlearningResult, unlearn

__all__ = [
    "AttributeBias",
    "AttributeDataset",
    "AuditTrail",
    "BiasFunction",
    "BiasReport",
    "Candidate",
    "Change",
    "Classifier",
    "Column",
    "Comparison",
    "CounterfactualBias",
    "CounterfactualPairs",
    "Curvature",
    "DataError",
    "Decision",
    "Erased",
    "Erasure",
    "Estimate",
    "Evidence",
    "Explanation",
    "FMDError",
    "FeatureSet",
    "Finding",
    "Forgetting",
    "GroupGap",
    "Guard",
    "Head",
    "InfluenceScores",
    "JointBias",
    "LinearHead",
    "LogLine",
    "MLPHead",
    "ModelError",
    "OpenedReport",
    "PathPoint",
    "Preprocess",
    "ProbeResult",
    "RedFlag",
    "Report",
    "Rival",
    "SampleRemark",
    "ScoreCheck",
    "Seen",
    "SolverError",
    "TrainingStep",
    "UnlearningInputs",
    "UnlearningPath",
    "UnlearningResult",
    "audit_bias",
    "bias_changes",
    "bias_influence",
    "build_report",
    "candidate_biases",
    "check_scores",
    "compare",
    "compare_candidates",
    "counterfactual_bias",
    "counterfactual_bias_gradient",
    "deepened",
    "erase",
    "explain",
    "extract_features",
    "fit_curvature",
    "forgetting_sentence",
    "judge",
    "judge_forgetting",
    "judge_path",
    "load_classifier",
    "load_dataset",
    "load_demo_classifier",
    "pair_counterfactuals",
    "predict_removal",
    "probe",
    "read_report",
    "red_flags",
    "refit_without",
    "render_page",
    "render_report",
    "report_json",
    "rival_heads",
    "save_classifier",
    "scan",
    "solve_path",
    "train_classifier",
    "unlearn",
    "unlearning_path",
]

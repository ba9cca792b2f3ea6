from .data import AttributeDataset, Column, FeatureSet
from .datasets.families import load_dataset
from .datasets.table_frame import table
from .errors import DataError, FMDError, ModelError, SolverError
from .explain.attributions import Explanation, explain
from .forget.erasure import Erased, Erasure, erase
from .forget.forgetting import Forgetting, Seen, judge_forgetting
from .forget.forgetting_words import forgetting_sentence
from .forget.probes import ProbeResult, probe
from .heads.curvature import Curvature, fit_curvature
from .heads.linear import LinearHead
from .heads.protocol import Head
from .heads.two_layer import MLPHead
from .influence.removal import predict_removal, refit_without
from .influence.score_check import ScoreCheck, check_scores
from .influence.scores import InfluenceScores, bias_influence
from .intervals import Estimate
from .kinds import Kind, find_kind, register_kind
from .measure.audit import audit_bias
from .measure.bias_functions import (
    BiasFunction,
    CounterfactualBias,
    GroupGap,
    JointBias,
    counterfactual_bias,
    counterfactual_bias_gradient,
)
from .measure.bias_report import AttributeBias, BiasReport
from .measure.candidates import Candidate
from .measure.changes import Change
from .measure.comparing import bias_changes, candidate_biases, compare, compare_candidates
from .measure.comparison import Comparison
from .measure.red_flags import RedFlag, red_flags
from .measure.scan import Finding, scan
from .measure.verdict.answered import Answered
from .measure.verdict.judging import give_verdict
from .measure.verdict.twins import TwinAnswers
from .measure.verdict.values import Limits, Verdict
from .method import Mover, Strategy, find_strategy, strategies
from .models.classifier import Classifier
from .models.deepening import deepened
from .models.depth import Depth
from .models.encoder import Encoder
from .models.encoding import extract_features
from .models.files import load_classifier, save_classifier
from .models.preprocess import Preprocess
from .models.shelf import load_demo_classifier
from .models.training import TrainingStep, train_classifier
from .models.wrap import wrap
from .report.evidence import AuditTrail, Decision, Evidence, LogLine, SampleRemark
from .report.page import render_page
from .report.reading import OpenedReport, read_report
from .report.schema import Report
from .report.writing import build_report, render_report, report_json
from .study.aim import Aim
from .study.study import Study
from .twins.pairs import CounterfactualPairs, pair_counterfactuals
from .unlearn.baselines import Baseline, register_baseline
from .unlearn.guarded_path import (
    Guard,
    PathPoint,
    UnlearningPath,
    judge,
    judge_path,
    solve_path,
    unlearning_path,
)
from .unlearn.one_strength import unlearn
from .unlearn.rivals import Rival, rival_heads
from .unlearn.strategies import UnlearningInputs, UnlearningResult

__all__ = [
    "Aim",
    "Answered",
    "AttributeBias",
    "AttributeDataset",
    "AuditTrail",
    "Baseline",
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
    "Depth",
    "Encoder",
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
    "Kind",
    "Limits",
    "LinearHead",
    "LogLine",
    "MLPHead",
    "ModelError",
    "Mover",
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
    "Strategy",
    "Study",
    "TrainingStep",
    "TwinAnswers",
    "UnlearningInputs",
    "UnlearningPath",
    "UnlearningResult",
    "Verdict",
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
    "find_kind",
    "find_strategy",
    "fit_curvature",
    "forgetting_sentence",
    "give_verdict",
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
    "register_baseline",
    "register_kind",
    "render_page",
    "render_report",
    "report_json",
    "rival_heads",
    "save_classifier",
    "scan",
    "solve_path",
    "strategies",
    "table",
    "train_classifier",
    "unlearn",
    "unlearning_path",
    "wrap",
]

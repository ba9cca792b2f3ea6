"""Which way imports point, what is public, and that the README's code runs."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fmd_core

ROOT = Path(__file__).resolve().parents[1]

# Each module of the core and of the cache may import only modules that stand above it.
CORE_ORDER = [
    "errors",
    "figures",
    "showing",
    "home",
    "running",
    "running.file_lock",
    "running.whole_files",
    "running.stopped_jobs",
    "running.jobs",
    "data",
    "running.distributed",
    "imaging",
    "heat_map",
    "kinds.kind",
    "kinds.image",
    "kinds.table",
    "kinds",
    "solvers",
    "solvers.kronecker",
    "heads",
    "unlearn",  # the package itself: a docstring
    "unlearn.method",
    "mlp_head",
    "solvers.fit_problem",
    "solvers.convex_fit",
    "solvers.two_layer_fit",
    "solvers.fitting",
    "curvature",
    "networks",
    "networks.architectures",
    "networks.feature_store",
    "models",  # the package itself: a docstring
    "models.preprocess",
    "models.encoder",
    "models.network_encoder",
    "models.depth",
    "models.classifier",
    "models.encoding",
    "models.files",
    "networks.explanations",
    "deepening",
    "networks.training",
    "models.content",
    "models.door",
    "models.sklearn_encoder",
    "models.torch_encoder",
    "models.given_features",
    "models.wrap",
    "networks.weight_files",
    "networks.intake_worker",
    "networks.intake",
    "datasets.bundled",
    "datasets.colored_digits",
    "datasets.colored_mnist",
    "datasets.face_parts",
    "datasets.face_drawing",
    "datasets.synthetic_faces",
    "datasets.celeba",
    "datasets.names",
    "datasets.sniffing_formats",
    "datasets.sniffing_layout",
    "datasets.sniffing_columns",
    "datasets.sniffing_parquet",
    "datasets.sniffing",
    "datasets.archives",
    "datasets.pictures",
    "datasets.table_encoding",
    "datasets.table_checks",
    "datasets.answers",
    "datasets.table_dataset",
    "datasets.table",
    "datasets.table_frame",
    "datasets.image_folder",
    "datasets.imports",
    "datasets.adult",
    "datasets",
    "networks.model_shelf",
    "matching",
    "counterfactual",
    "bias_functions",
    "intervals",
    "features",  # the package itself: a docstring
    "features.probes",
    "features.forgettable",
    "features.erasure",
    "features.finetuning",
    "features.pressures",
    "features.adversarial",
    "features.channels",
    "features.beside",
    "group_metrics",
    "bias",
    "scan",
    "red_flags",
    "changes",
    "influence",
    "removal",
    "score_check",
    "objective",
    "unlearning",
    "unlearn.one_strength",
    "guarded_path",
    "comparison",
    "wording",
    "measure",
    "measure.verdict",
    "measure.verdict.values",
    "measure.verdict.answered",
    "measure.verdict.differences",
    "measure.verdict.selection",
    "measure.verdict.equal_truth",
    "measure.verdict.service",
    "measure.verdict.twins",
    "measure.verdict.favourable",
    "measure.verdict.model_warnings",
    "measure.verdict.warnings",
    "measure.verdict.sheets",
    "measure.verdict.sentences",
    "measure.verdict.groups",
    "measure.verdict.judging",
    "measure.verdict.asking",
    "features.forgetting",
    "baselines",
    "proof",
    "report",
    "report.evidence",
    "report.fields",
    "report.schema",
    "report.sections",
    "report.measured",
    "report.duties",
    "report.page",
    "report.writing",
    "report.faults",
    "report.reading",
    "study",  # the package itself: a docstring
    "study.aim",
    "study.memory",
    "study.steps",
    "study.subject",
    "study.people",
    "study.teaching",
    "study.fixing",
    "study.judging",
    "study.study",
    "reproduction.held_out",
    "reproduction.experiments",
    "reproduction.results",
    "reproduction.markdown",
    "reproduction.trained_models",
    "reproduction.forgetting_study",
    "commands",
    "commands.audit_data",
    "commands.audit_document",
    "commands.audit_page",
    "commands.audit",
    "reproduction.verdict_study",
    "reproduction",
    "doctor",
    "",  # fmd_core itself: the list of public names
    "commands",  # the package itself: the table
    "commands.common",
    "commands.run",
    "commands.train",
    "commands.reproduce",
    "commands.forget",
    "commands.doctor",
    "__main__",
]
CACHE_ORDER = [
    "bounded",
    "opened",
    "influences",
    "fixes",
    "judgements",
    "patterns",
    "pictures",
    "warming",
    "",  # app.cache itself: what pages may ask
]
# A module of a room may import from its own room and from those above it; nothing imports in a circle.
APP_ROOMS = [
    "record",
    "storage",
    "session",
    "cache",
    "view_models",
    "widgets",
    "frame",
    "serving",
    "jobs",
    "opening",
    "samples",
    "unlearning",
    "reporting",
    "app_pages",
]
HALL = ("app", "app.main", "app.open_browser", "app.server")  # what lies in no room may import from all
ORDERS = {"fmd_core": CORE_ORDER, "app.cache": CACHE_ORDER}
TORCH_USERS = {
    "fmd_core.datasets.public.celeba",  # its download only
    "fmd_core.kinds.kind",
    "fmd_core.kinds.image",
    "fmd_core.models.preprocess",
    "fmd_core.models.encoder",
    "fmd_core.models.network_encoder",
    "fmd_core.models.depth",
    "fmd_core.models.classifier",
    "fmd_core.models.torch_encoder",
    "fmd_core.models.content",  # types only
    "fmd_core.models.architectures",
    "fmd_core.models.training",
    "fmd_core.models.intake.worker",
    "fmd_core.explain.attributions",
    "fmd_core.forget.finetuning",
    "fmd_core.forget.pressures",
    "fmd_core.forget.adversarial",
    "fmd_core.forget.channels",
    "fmd_core.models.side_by_side",
    "app.serving.warmup",
}  # warmup loads it ahead of need


def sources():
    """Module name and source text of everything in fmd_core and app."""
    for path in sorted([*ROOT.glob("fmd_core/**/*.py"), *ROOT.glob("app/**/*.py")]):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path.read_text()


def imports(source, known=()):
    """Names of the modules that a source imports, also inside functions. `known` tells modules
    from other names in `from package import name`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield f"relative import (line {node.lineno})"
                continue
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [name for name in inner if name in known]
            yield from modules
            if len(modules) < len(inner):
                yield node.module


def reached(start, graph):
    """Modules of `graph` that `start` imports, directly or through others, with itself."""
    seen, left = set(), [start]
    while left:
        name = left.pop()
        if name in graph and name not in seen:
            seen.add(name)
            left += graph[name]
    return seen


def out_of_order(name, used):
    """What a module of an ordered package imports that does not stand above it, as sentences."""
    for package, modules in ORDERS.items():
        if not is_in(name, package):
            continue
        order = {f"{package}.{module}".rstrip("."): place for place, module in enumerate(modules)}
        if name not in order:
            yield f"{name} has no place in the order of {package}"
        for module in used:
            if is_in(module, package) and order.get(module, len(order)) >= order.get(name, -1):
                yield f"{name} imports {module}, which does not stand above it"


def out_of_its_room(name, used):
    """What a module of the dashboard imports from a room below its own, as sentences."""
    if not is_in(name, "app") or name in HALL:
        return
    room = name.split(".")[1]
    if room not in APP_ROOMS:
        yield f"{name} lies in no room of app"
        return
    for module in used:
        if is_in(module, "app") and (module in HALL or room_number(module) > room_number(name)):
            yield f"{name} imports {module}, whose room does not stand above its own"


def room_number(module):
    """The place of a module's room in the order; a room that is not known stands below all."""
    room = module.split(".")[1]
    return APP_ROOMS.index(room) if room in APP_ROOMS else len(APP_ROOMS)


def in_a_circle(name, graph):
    """The modules that a module imports and that lead back to it, as sentences."""
    for module in graph[name]:
        if name in reached(module, graph):
            yield f"{name} imports {module}, which leads back to it"


def is_in(module, package):
    """Whether a module is the package itself or lies inside it."""
    return f"{module}.".startswith(f"{package}.")


def violations(found):
    """Every broken rule in `found`, a mapping from module name to source, as sentences."""
    problems = []
    graph = {name: list(imports(source, found)) for name, source in found.items()}
    for name, source in found.items():
        package, used = name.split(".")[0], graph[name]
        tops = {module.split(".")[0] for module in used}
        if package == "fmd_core":
            problems += [f"{name} imports {bad}" for bad in ("streamlit", "plotly", "app") if bad in tops]
        problems += [*out_of_order(name, used), *out_of_its_room(name, used), *in_a_circle(name, graph)]
        if name not in TORCH_USERS:
            problems += [f"{name} imports {bad}" for bad in ("torch", "torchvision", "captum") if bad in tops]
        if any(module.startswith("relative") for module in used):
            problems.append(f"{name} uses a relative import")
        if name.startswith("app.view_models"):
            problems += [
                f"{name} reaches streamlit through {through}"
                for through in reached(name, graph)
                if any(m.split(".")[0] == "streamlit" for m in graph[through])
            ]
        if name.startswith("app.app_pages"):
            problems += [f"{name} imports the page {m}" for m in used if m.startswith("app.app_pages")]
        for pattern, owner in (
            (r"\bsession_state\b", "app.session.memory"),
            (r"\bcache_(data|resource)\b", None),  # results are kept within the limit of app.cache.bounded
        ):
            used_here = re.search(pattern, code_of(source))
            if package == "app" and name != owner and used_here:
                whose = f"only {owner}" if owner else "nobody"
                problems.append(f"{name} uses {used_here[0]}, which {whose} may use")
    return problems


def code_of(source):
    """Names and attributes in a source: comments and docstrings do not count."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [n.id for n in nodes if isinstance(n, ast.Name)]
    names += [n.attr for n in nodes if isinstance(n, ast.Attribute)]
    names += [a.name for n in nodes if isinstance(n, ast.ImportFrom) for a in n.names]
    return " ".join(names)


# --- the rules


def test_imports_point_one_way():
    assert violations(dict(sources())) == []


@pytest.mark.parametrize(
    ("name", "source", "problem"),
    [
        ("fmd_core.data", "import streamlit as st", "fmd_core.data imports streamlit"),
        ("fmd_core.data", "def f():\n    import plotly.express", "fmd_core.data imports plotly"),
        ("fmd_core.data", "from app import state", "fmd_core.data imports app"),
        (
            "fmd_core.data",
            "from fmd_core.heads.linear import LinearHead",
            "fmd_core.data imports fmd_core.heads.linear, which does not stand above it",
        ),
        (
            "fmd_core.report.wording",
            "from fmd_core.report import writing",
            "fmd_core.report.wording imports fmd_core.report.writing, which does not stand above it",
        ),
        (
            "fmd_core.report.wording",
            "from fmd_core import compare",
            "fmd_core.report.wording imports fmd_core, which does not stand above it",
        ),
        ("fmd_core.newcomer", "", "fmd_core.newcomer has no place in the order of fmd_core"),
        (
            "app.cache.opened",
            "from app.cache.fixes import head",
            "app.cache.opened imports app.cache.fixes, which does not stand above it",
        ),
        (
            "app.cache.opened",
            "from app.cache import fixes",
            "app.cache.opened imports app.cache.fixes, which does not stand above it",
        ),
        (
            "app.cache.warming",
            "def warm():\n    from app.cache import audit",
            "app.cache.warming imports app.cache, which does not stand above it",
        ),
        ("app.cache.newcomer", "", "app.cache.newcomer has no place in the order of app.cache"),
        ("app.newcomer", "", "app.newcomer lies in no room of app"),
        (
            "app.record.review",
            "from app.cache.fixes import head",
            "app.record.review imports app.cache.fixes, whose room does not stand above its own",
        ),
        (
            "app.widgets.gallery",
            "from app import main",
            "app.widgets.gallery imports app.main, whose room does not stand above its own",
        ),
        (
            "app.widgets.gallery",
            "def f():\n    from app.widgets import portraits",
            "app.widgets.gallery imports app.widgets.portraits, which leads back to it",
        ),
        ("fmd_core.heads.linear", "from torch import nn", "fmd_core.heads.linear imports torch"),
        ("app.view_models.charts", "import captum.attr", "app.view_models.charts imports captum"),
        (
            "fmd_core.measure.audit",
            "from .data import Array",
            "fmd_core.measure.audit uses a relative import",
        ),
        (
            "app.view_models.new",
            "from streamlit import cache",
            "app.view_models.new reaches streamlit through app.view_models.new",
        ),
        (
            "app.view_models.new",
            "from app.widgets.components import note",
            "app.view_models.new reaches streamlit through app.widgets.components",
        ),
        (
            "app.app_pages.new",
            "from app.app_pages import start",
            "app.app_pages.new imports the page app.app_pages",
        ),
        (
            "app.view_models.charts",
            "import streamlit as st\nst.session_state['a'] = 1",
            "app.view_models.charts uses session_state, which only app.session.memory may use",
        ),
        (
            "app.app_pages.new",
            "import streamlit as st\n@st.cache_data\ndef f(): ...",
            "app.app_pages.new uses cache_data, which nobody may use",
        ),
        (
            "app.widgets.components",
            "from streamlit import cache_resource",
            "app.widgets.components uses cache_resource, which nobody may use",
        ),
        (
            "app.cache.opened",
            "import streamlit as st\n@st.cache_data\ndef f(): ...",
            "app.cache.opened uses cache_data, which nobody may use",
        ),
    ],
)
def test_a_broken_rule_is_found(name, source, problem):
    others = {
        "fmd_core.report.writing": "",
        "fmd_core.heads.linear": "",
        "app.widgets.components": "import streamlit",
        "app.widgets.portraits": "from app.widgets.gallery import tile",
        "app.main": "",
    }
    found = {**others, "app.cache.fixes": "", name: source}
    assert problem in violations(found)


def test_what_is_allowed_is_not_found():
    allowed = {
        "fmd_core.heads.linear": "'''No streamlit, no plotly.'''\nimport numpy\nfrom fmd_core.data import Array",
        "app.view_models.new": "from fmd_core import wording\nfrom app.record.history import History",
        "app.record.history": "import fmd_core as fmd",
        "app.session.memory": "import streamlit as st\nst.session_state['a'] = 1  # session_state",
        "app.app_pages.new": "'''Not session_state, not cache_data.'''\nfrom app import cache",
        "app.cache": "from app.cache.fixes import head",
        "app.cache.fixes": "from app.cache.bounded import kept\nfrom app.cache import opened",
        "app.cache.opened": "from app.record.review import Review\nfrom fmd_core.data import Array",
        "fmd_core.report.wording": "",
    }
    assert violations(allowed) == []


def test_nobody_reads_a_private_encoder():
    """What a model can do is asked of `Classifier.encoder` and `as_module`."""
    assert [name for name, source in sources() if "_encoder" in code_of(source).split()] == []


# --- public names


def test_public_names_are_sorted_and_unique():
    assert list(fmd_core.__all__) == sorted(set(fmd_core.__all__))


@pytest.mark.parametrize("name", fmd_core.__all__)
def test_a_public_name_exists_and_is_documented(name):
    value = getattr(fmd_core, name)
    doc = vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__  # not the parent's
    assert doc
    assert not doc.startswith(f"{name}(")  # what @dataclass writes when nobody else did


def test_whatever_the_package_imports_is_public():
    tree = ast.parse((ROOT / "fmd_core/__init__.pyi").read_text())
    imported = {a.asname or a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
    assert imported == set(fmd_core.__all__)


# --- README


def test_the_readme_code_runs():
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert blocks, "README.md has no ```python block"
    assert sum(1 for line in blocks[0].splitlines() if line.strip()) <= 12
    answer = subprocess.run(
        [sys.executable, "-c", blocks[0]], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert answer.returncode == 0, answer.stderr

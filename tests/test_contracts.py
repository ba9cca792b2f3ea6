"""Which way imports point, what is public, and that the README's code runs."""

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import fmd_core

ROOT = Path(__file__).resolve().parents[1]

# Which room may import from which is declared once, in pyproject.toml, and read by import-linter (`make check`, and
# below). What it cannot say stands here: nothing imports in a circle, what lies flat, who may import torch.
MOST_FLAT = 12
TORCH_USERS = {
    "fmd_core.datasets.public.celeba.download",
    "fmd_core.kinds.kind",
    "fmd_core.kinds.image",
    "fmd_core.models.preprocess",
    "fmd_core.models.encoder",
    "fmd_core.models.network_encoder",
    "fmd_core.models.depth",
    "fmd_core.models.classifier",
    "fmd_core.models.onnx_export",
    "fmd_core.models.torch_encoder",
    "fmd_core.models.content",  # types only
    "fmd_core.models.architectures",
    "fmd_core.models.training",
    "fmd_core.models.intake.worker",
    "fmd_core.language.opening",
    "fmd_core.language.reading",
    "fmd_core.language.blocks",
    "fmd_core.language.block_training",
    "fmd_core.language.kept",
    "fmd_core.models.intake.layer_names",
    "fmd_core.models.intake.state_dicts",
    "fmd_core.models.hugging_face.encoder",  # types only
    "fmd_core.models.hugging_face.network",
    "fmd_core.models.hugging_face.pictures",
    "fmd_core.models.hugging_face.texts",
    "fmd_core.explain.occlusion",
    "fmd_core.explain.attributions",
    "fmd_core.explain.token_attributions",
    "fmd_core.models.bert",  # imported only by what builds the network
    "fmd_core.models.sentence_encoder",
    "fmd_core.models.known_texts",  # types only
    "fmd_core.forget.finetuning",
    "fmd_core.forget.pressures",
    "fmd_core.forget.adversarial",
    "fmd_core.forget.channels",
    "fmd_core.models.side_by_side",
    "fmd_core.models.blocks",
    "fmd_core.unlearn.deeper.augmentation",
    "fmd_core.unlearn.deeper.planning",
    "fmd_core.unlearn.deeper.checkpoints",
    "fmd_core.unlearn.deeper.material",
    "fmd_core.unlearn.deeper.objectives",
    "fmd_core.unlearn.deeper.training",
    "fmd_core.unlearn.retraining.both_levels",
    "fmd_core.unlearn.retraining.group_dro",
    "fmd_core.unlearn.retraining.jtt",
    "fmd_core.unlearn.retraining.ldr",
    "fmd_core.unlearn.retraining.lff",
    "fmd_core.unlearn.retraining.rebias",
    "fmd_core.unlearn.retraining.relative_difficulty",
    "fmd_core.unlearn.retraining.trainer",
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


def without_types(source):
    """A source without what only the type checker imports: that builds on nothing."""
    tree = ast.parse(source)
    guards = (n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    for guard in guards:
        guard.body = [ast.Pass()]
    return ast.unparse(tree)


def reached(start, graph):
    """Modules of `graph` that `start` imports, directly or through others, with itself."""
    seen, left = set(), [start]
    while left:
        name = left.pop()
        if name in graph and name not in seen:
            seen.add(name)
            left += graph[name]
    return seen


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
    run = {name: list(imports(without_types(source), found)) for name, source in found.items()}
    for name, source in found.items():
        package, used = name.split(".")[0], graph[name]
        tops = {module.split(".")[0] for module in used}
        if package == "fmd_core":
            problems += [f"{name} imports {bad}" for bad in ("streamlit", "plotly", "app") if bad in tops]
        problems += in_a_circle(name, run)
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


def test_rooms_build_on_those_below_them():
    linter = Path(sys.executable).parent / "lint-imports"
    answer = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stdout


def test_every_room_is_declared():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    for package, contract in (("fmd_core", "library"), ("app", "dashboard")):
        layers = next(c["layers"] for c in declared if c["id"] == contract)
        named = {name.strip(" ()") for layer in layers for name in layer.split(":")}
        rooms = {path.parent.name for path in (ROOT / package).glob("*/*.py")}
        assert rooms <= named, f"{package}: {sorted(rooms - named)} stand in no layer of pyproject.toml"


def test_few_modules_lie_flat():
    assert len(list((ROOT / "fmd_core").glob("*.py"))) <= MOST_FLAT


@pytest.mark.parametrize(
    ("name", "source", "problem"),
    [
        ("fmd_core.data", "import streamlit as st", "fmd_core.data imports streamlit"),
        ("fmd_core.data", "def f():\n    import plotly.express", "fmd_core.data imports plotly"),
        ("fmd_core.data", "from app import state", "fmd_core.data imports app"),
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
        "app.view_models.new": "from fmd_core.report import wording\nfrom app.record.history import History",
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

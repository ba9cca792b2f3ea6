"""The examples in the library's docstrings run, and every public function has one."""

import doctest
import importlib
import inspect

import pytest

import fmd_core as fmd

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
MODULES = ("fmd_core.figures", "fmd_core.showing", "fmd_core.running.whole_files")
TOO_DEAR = {"train_classifier"}
"""Minutes of work, or seconds of the demo's: tests/core/test_training.py trains."""
FUNCTIONS = {name: found for name in fmd.__all__ if inspect.isfunction(found := getattr(fmd, name))}


def examples_of(name, value, names):
    """The examples in the docstring of one thing, which may use `names`."""
    parser, text = doctest.DocTestParser(), inspect.getdoc(value) or ""
    return parser.get_doctest(text, dict(names), name, inspect.getsourcefile(value), 0)


def run(examples, *, keep=False):
    told = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS, verbose=False)
    runner.run(examples, out=told.append, clear_globs=not keep)
    assert not runner.failures, "".join(told)


@pytest.fixture(scope="module")
def review():
    """The names that the package's own examples make, which those of single functions go on from."""
    examples = examples_of("fmd_core", fmd, {})
    run(examples, keep=True)
    return dict(examples.globs)


WITH_EXAMPLES = [name for name, value in FUNCTIONS.items() if ">>>" in (inspect.getdoc(value) or "")]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_function_run(name, review):
    run(examples_of(name, FUNCTIONS[name], review))


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_run(module):
    loaded = importlib.import_module(module)
    found = [test for test in doctest.DocTestFinder().find(loaded) if test.examples]
    for test in found:
        run(test)


def test_every_public_function_is_in_an_example():
    sources = [
        example.source
        for value in (fmd, *FUNCTIONS.values())
        for example in examples_of("", value, {}).examples
    ]
    shown = {name for name in FUNCTIONS if any(f"fmd.{name}(" in source for source in sources)}
    assert set(FUNCTIONS) - shown == TOO_DEAR

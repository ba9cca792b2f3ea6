"""scikit-learn models in skops files: opened by a list of types of our own, shorter than that of skops.

A skops file is a zip of `schema.json`, which names a class for every object, and arrays. Every name is held against
the list before skops sees the file; code of the owner's own is on no list.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import numpy as np

from fmd_core.data import Array, AttributeDataset, FrameSource
from fmd_core.errors import ModelError
from fmd_core.models import sklearn_encoder
from fmd_core.models.classifier import Classifier
from fmd_core.models.door import Asked, Opened
from fmd_core.models.intake.skops_files import MOST_BYTES, SCHEMA
from fmd_core.models.preprocess import Preprocess
from fmd_core.models.sklearn_encoder import SklearnEncoder
from fmd_core.text import letters_alone

STORED_AS = "skops"
LIBRARY = "skops files need the library skops; install it with pip install 'fmd-studio[skops]'."
MOST_ARRAY_BYTES = 64 << 20
MOST_SCHEMA_BYTES, MOST_NODES, MOST_DEEP = 32 << 20, 300_000, 150


def _names(module: str, *classes: str) -> set[str]:
    return {f"{module}.{name}" for name in classes}


_SCALARS = _names(
    "numpy", "float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8",
    "bool", "bool_", "str_",
)  # fmt: skip
_PLAIN = _names("builtins", "str", "int", "float", "bool", "NoneType")
_UFUNCS = _names(
    "numpy", "log", "log1p", "log2", "log10", "exp", "expm1", "sqrt", "square", "abs", "absolute", "sign"
)
_OPTIMIZERS = ("AdamOptimizer", "SGDOptimizer")  # how it was trained: asked for nothing afterwards
OBJECTS = (
    _names("sklearn.pipeline", "Pipeline", "FeatureUnion")
    | _names("sklearn.compose._column_transformer", "ColumnTransformer", "_RemainderColsList")
    | _names("sklearn.impute._base", "SimpleImputer", "MissingIndicator")
    | _names(
        "sklearn.preprocessing._data", "StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "Normalizer",
        "Binarizer", "PowerTransformer", "QuantileTransformer",
    )
    | _names("sklearn.preprocessing._polynomial", "PolynomialFeatures", "SplineTransformer")
    | _names("sklearn.preprocessing._encoders", "OneHotEncoder", "OrdinalEncoder")
    | _names("sklearn.preprocessing._discretization", "KBinsDiscretizer")
    | _names("sklearn.preprocessing._label", "LabelBinarizer", "LabelEncoder")
    | _names("sklearn.preprocessing._function_transformer", "FunctionTransformer")
    | _names("sklearn.decomposition._pca", "PCA")
    | _names("sklearn.decomposition._truncated_svd", "TruncatedSVD")
    | _names("sklearn.feature_selection._variance_threshold", "VarianceThreshold")
    | _names("sklearn.linear_model._logistic", "LogisticRegression", "LogisticRegressionCV")
    | _names("sklearn.linear_model._stochastic_gradient", "SGDClassifier")
    | _names("sklearn.neural_network._multilayer_perceptron", "MLPClassifier")
    | _names("sklearn.neural_network._stochastic_optimizers", *_OPTIMIZERS)
)  # fmt: skip
TYPES: Mapping[str, set[str]] = {
    "JsonNode": _PLAIN,
    "TypeNode": _PLAIN | _SCALARS,
    "DictNode": _names("builtins", "dict") | _names("collections", "OrderedDict"),
    "ListNode": _names("builtins", "list"),
    "TupleNode": _names("builtins", "tuple"),
    "SetNode": _names("builtins", "set"),
    "SliceNode": _names("builtins", "slice"),
    "NdArrayNode": _names("numpy", "ndarray") | _SCALARS,
    "DTypeNode": _names("numpy", "dtype"),
    "RandomStateNode": _names("numpy.random.mtrand", "RandomState"),
    "SparseMatrixNode": {
        f"scipy.sparse.{place}" for place in ("_csr.csr_matrix", "_csc.csc_matrix", "_csr.csr_array", "_csc.csc_array")
    },
    "FunctionNode": _UFUNCS,
    "LossNode": _names("sklearn._loss._loss", "CyHalfBinomialLoss"),  # of an SGDClassifier
    "ObjectNode": OBJECTS,
    "CachedNode": _PLAIN | _SCALARS | OBJECTS | _names("numpy", "ndarray", "dtype") | _names("builtins", "list"),
}  # fmt: skip
"""What each kind of node may name."""
TRUSTED = sorted({"numpy.dtype", *OBJECTS, *_UFUNCS, *TYPES["SparseMatrixNode"]})


class ForeignTypeError(ModelError):
    """A file that holds something that is on no list; `name` is its class."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The file holds '{name[:80]}', which is not opened: steps that are known here, and a LogisticRegression, "
            "MLPClassifier or binary SGDClassifier at the end, can be; code of your own never is."
        )
        self.name = name


def check(content: bytes) -> None:
    """Hold every name and every array of a skops file against the list. ModelError, before skops is asked."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_sizes(archive)
            told = json.loads(archive.read(SCHEMA))
            arrays = {name for name in archive.namelist() if name.endswith(".npy")}
            for node in _nodes(told):  # first, because it is the names that tell what the file is
                _check_node(node, arrays)
            for name in arrays:
                _check_array(archive, name)
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        RecursionError,
        NotImplementedError,
        EOFError,
        OSError,
    ) as error:
        raise _damaged() from error


def _check_sizes(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    if sum(entry.file_size for entry in entries) > MOST_BYTES or any(
        entry.file_size > (MOST_SCHEMA_BYTES if entry.filename == SCHEMA else MOST_ARRAY_BYTES)
        for entry in entries
    ):
        raise ModelError(
            f"The file unpacks to more than the {MOST_BYTES >> 20} MiB that a model may have; bring a smaller one."
        )
    if len({entry.filename for entry in entries}) < len(entries) or any(
        entry.flag_bits & 1 for entry in entries
    ):
        raise ValueError("a name twice, or locked")


def _check_array(archive: zipfile.ZipFile, name: str) -> None:
    """Its header describes exactly its bytes, and they are numbers or words of a fixed length."""
    content = io.BytesIO(archive.read(name))
    version = np.lib.format.read_magic(content)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read(content)
    left = len(content.getvalue()) - content.tell()
    if (
        kind.hasobject
        or kind.kind not in "biufUS"
        or int(np.prod(shape, dtype=object)) * kind.itemsize != left
    ):
        raise ValueError("an array that is not what it claims")


def _nodes(told: object) -> Iterator[dict[str, Any]]:
    """Every object of a schema. ModelError where there are too many, or they lie too deep."""
    waiting, seen = [(told, 0)], 0
    while waiting:
        part, deep = waiting.pop()
        seen += 1
        if seen > MOST_NODES or deep > MOST_DEEP:
            raise ModelError("The file describes more than a model of this kind has; bring a smaller one.")
        if isinstance(part, dict):
            if "__loader__" in part or "__class__" in part:
                yield part
            waiting += [(one, deep + 1) for one in part.values()]
        elif isinstance(part, list):
            waiting += [(one, deep + 1) for one in part]
    if not isinstance(told, dict) or "__loader__" not in told:
        raise _damaged()


def _check_node(node: dict[str, Any], arrays: set[str]) -> None:
    loader, name = node.get("__loader__"), f"{node.get('__module__')}.{node.get('__class__')}"
    known = TYPES.get(loader) if isinstance(loader, str) else None
    if known is None or name not in known:
        raise ForeignTypeError("".join(letter for letter in name if letter.isprintable()))
    if "file" in node and node["file"] not in arrays:
        raise _damaged()


def _damaged() -> ModelError:
    return ModelError("The skops file is damaged or not whole; save the model again with skops.io.dump.")


def load(content: bytes) -> Any:  # noqa: ANN401  scikit-learn has no types
    """The estimator in a skops file that was checked. ModelError where skops or the file will not."""
    check(content)
    try:
        from skops.io import loads
        from skops.io.exceptions import UntrustedTypesFoundException
    except ImportError as error:
        raise ModelError(LIBRARY) from error
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of another version of scikit-learn: the answers are tried out
            return loads(content, trusted=TRUSTED)
    except UntrustedTypesFoundException as error:
        raise ForeignTypeError(str(error)[:80]) from error
    except MemoryError:
        raise
    except Exception as error:  # whatever a spoilt description leads to
        raise _damaged() from error


@dataclass(frozen=True, eq=False)
class SkopsEncoder(SklearnEncoder):
    """What lies below the last linear layer of a model from a skops file."""

    content: bytes = b""
    """The file."""
    wanted: tuple[str, ...] = ()
    """What the data call the columns, in the order in which it was fitted on them; () for its own names."""

    stored_as = STORED_AS

    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]:
        """Features (m, d) float32 of each batch of rows, whose columns go by the names of the data."""
        return super().encode_batches(self._renamed(batch) for batch in batches)

    def _renamed(self, batch: Array) -> Array:
        named = self.wanted and hasattr(batch, "set_axis")
        return cast(Array, cast(Any, batch).set_axis(list(self.columns), axis=1)) if named else batch

    def stored(self) -> tuple[dict[str, str], dict[str, Array]]:
        """The file itself. ModelError for a part of the model."""
        if self.first is None:
            raise ModelError(f"Only the whole of {self.title} can be written to a file.")
        return {"columns": json.dumps(self.wanted)}, {"file": np.frombuffer(self.content, "uint8")}


def fitted_to(classifier: Classifier, data: AttributeDataset) -> tuple[Classifier, tuple[str, ...]]:
    """The same model with its columns found among those of `data`, by name or by its letters, and what was found.

    Models that are none of skops come back as they are. Raises ModelError with the columns that are missing.
    """
    encoder, source = classifier.own_encoder, data.source
    if not isinstance(encoder, SkopsEncoder) or not encoder.columns:
        return classifier, ()
    if not isinstance(source, FrameSource):
        raise ModelError(f"The model reads columns by their names, but '{data.name}' has none.")
    there = [str(name) for name in source.read_frame(data.rows("train")[:1]).columns]
    alike = {
        letters_alone(name): name
        for name in there
        if [letters_alone(n) for n in there].count(letters_alone(name)) == 1
    }
    found = [name if name in there else alike.get(letters_alone(name), "") for name in encoder.columns]
    lacking = [name for name, column in zip(encoder.columns, found, strict=True) if not column]
    if lacking:
        named = ", ".join(repr(name[:40]) for name in lacking[:6]) + " and others" * (len(lacking) > 6)
        raise ModelError(
            f"The model reads {named}, which '{data.name}' does not have or does not give to models; bring the table "
            f"with all {len(found)} columns that the model was fitted on."
        )
    told = "All columns that it reads were found by their names."
    return replace(classifier, own_encoder=replace(encoder, wanted=tuple(found))), (told,)


def opened(content: bytes) -> Opened:
    """The model in a skops file, taken apart. ModelError, in a sentence, where it cannot be."""
    model = load(content)
    if not sklearn_encoder.DOOR.takes(model):
        raise ModelError(
            "The file holds no scikit-learn model; save the fitted classifier with skops.io.dump."
        )
    try:
        found: Opened = sklearn_encoder.DOOR.open(model, Asked(None, None, None, None, None))
    except (AttributeError, TypeError, ValueError, IndexError, KeyError) as error:
        raise ModelError(
            "The model lacks what a fitted one has; fit it, and save it with skops.io.dump."
        ) from error
    plain = found.encoder
    assert isinstance(plain, SklearnEncoder)
    kept = {field.name: getattr(plain, field.name) for field in fields(SklearnEncoder)}
    return Opened(SkopsEncoder(**kept, content=content), found.head, found.classes, found.damping)


def restore(
    settings: Mapping[str, str],
    arrays: Mapping[str, Array],
    preprocess: Preprocess,  # noqa: ARG001  nothing is done to rows
) -> SklearnEncoder:
    """The encoder that `SkopsEncoder.stored` wrote."""
    file = arrays.get("file")
    if file is None or file.dtype != np.uint8 or file.ndim != 1:
        raise _damaged()
    encoder = opened(file.tobytes()).encoder
    assert isinstance(encoder, SkopsEncoder)
    try:
        wanted = tuple(str(name) for name in json.loads(settings.get("columns", "[]")))
    except (ValueError, TypeError, RecursionError) as error:
        raise _damaged() from error
    return replace(encoder, wanted=wanted if len(wanted) == len(encoder.columns) else ())

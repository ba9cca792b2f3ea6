"""Hugging Face folders and skops files that attack, claim too much, or are no classifier, each in one sentence."""

import io
import json
import pickle
import struct
import zipfile

import numpy as np
import pytest
from safetensors.numpy import load, save

from fmd_core.models.intake import intake
from tests.attacks.test_model_files import Bomb
from tests.model_folders import (
    PROCESSOR,
    folder_files,
    pipeline,
    skops_file,
    skops_of,
    with_config,
    with_schema,
    zipped,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # what libraries say of spoilt files is not what is tested


def written(tmp_path, content, name="model.zip"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def weights(change):
    """The folder with other weights."""
    layers = dict(load(folder_files()["model.safetensors"]))
    return folder_files() | {"model.safetensors": save(change(layers) or layers)}


def processor(**changes):
    return folder_files() | {"preprocessor_config.json": json.dumps(PROCESSOR | changes).encode()}


# --- refused before anything is unpacked


def entry(name, content=b"{}", *, mode=0, method=zipfile.ZIP_DEFLATED):
    """The folder's zip with one more entry."""
    buffer = io.BytesIO(zipped(folder_files()))
    with zipfile.ZipFile(buffer, "a") as archive:
        info = zipfile.ZipInfo("x")
        info.filename, info.external_attr, info.create_system = name, mode << 16, 3
        archive.writestr(info, content, method)
    return buffer.getvalue()


def locked():
    content = bytearray(zipped({"config.json": b"{}", "model.safetensors": b"x"}))
    for start, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = content.find(start)
        content[at + place] |= 1
    return bytes(content)


ZIPS = {
    "code": (
        lambda: entry("modeling_evil.py", b"import os; os.system('touch /tmp/x')"),
        "The model brings Python code",
    ),
    "only a pickle": (
        lambda: zipped({"config.json": b"{}", "pytorch_model.bin": pickle.dumps(Bomb("touch x"))}),
        "The folder has a config.json but no model.safetensors; other weights can run code",
    ),
    "in several files": (
        lambda: zipped({"config.json": b"{}", "model-00001-of-00002.safetensors": b"x"}),
        "The weights lie in several files; save them in one.",
    ),
    "out of the folder": (
        lambda: entry("../../etc/cron.d/x"),
        "The archive holds the unsafe name '../../etc/cron.d/x'",
    ),
    "from the root": (lambda: entry("/etc/passwd"), "The archive holds the unsafe name '/etc/passwd'"),
    "backslashes": (
        lambda: entry("a\\..\\..\\b.json"),
        "The archive holds the unsafe name 'a\\..\\..\\b.json'",
    ),
    "a drive": (lambda: entry("C:/windows/x"), "The archive holds the unsafe name 'C:/windows/x'"),
    "a link": (
        lambda: entry("tokenizer.json", b"/etc/passwd", mode=0o120777),
        "'tokenizer.json' in the archive is a link",
    ),
    "a bomb": (
        lambda: entry("tokenizer.json", bytes(41 << 20)),
        "tokenizer.json has 41.0 MiB, more than the 40 MiB",
    ),
    "a huge description": (
        lambda: zipped({"config.json": bytes(5 << 20), "model.safetensors": b"x"}),
        "config.json has 5.0 MiB, more than",
    ),
    "a huge vocabulary": (
        lambda: entry("vocab.txt", bytes(17 << 20)),
        "vocab.txt has 17.0 MiB, more than the 16 MiB",
    ),
    "a name twice": (lambda: entry("Config.json"), "The archive holds a name twice"),
    "locked": (locked, "The archive is locked with a password"),
    "an odd packing": (
        lambda: entry("a.txt", b"x", method=zipfile.ZIP_LZMA),
        "The archive is packed in an unusual way",
    ),
}


@pytest.mark.parametrize("kind", ZIPS)
@pytest.mark.usefixtures("unopened")
def test_a_zip_that_is_more_than_a_saved_model_is_refused_before_it_is_unpacked(refusal, tmp_path, kind):
    make, start = ZIPS[kind]
    assert str(refusal(written(tmp_path, make()))).startswith(start)


# --- refused in the limited process


CONFIGS = {
    "auto_map": ({"auto_map": {"AutoModel": "modeling_evil.Evil"}}, "config.json asks for 'auto_map'"),
    "remote code": ({"trust_remote_code": True}, "config.json asks for 'trust_remote_code'"),
    "quantised": (
        {"quantization_config": {"quant_method": "bitsandbytes"}},
        "config.json asks for 'quantization_config'",
    ),
    "another type": ({"model_type": "evil"}, "config.json names the model type 'evil', which is not opened"),
    "no type": ({"model_type": None}, "config.json names the model type 'None'"),
    "type as a list": ({"model_type": ["vit"]}, "config.json names the model type \"['vit']\""),
    "a million layers": (
        {"num_hidden_layers": 10**6},
        "config.json gives 'num_hidden_layers' the value '1000000'",
    ),
    "wide": ({"hidden_size": 10**9}, "config.json gives 'hidden_size' the value '1000000000'"),
    "wide, within bounds": (
        {"hidden_size": 65_536, "intermediate_size": 65_536},
        "config.json describes a network of ",
    ),
    "a huge picture": ({"image_size": 10**6}, "config.json gives 'image_size' the value"),
    "infinite": ({"layer_norm_eps": 1e999}, "config.json gives 'layer_norm_eps' the value 'inf'"),
    "a true number": ({"num_hidden_layers": True}, "config.json gives 'num_hidden_layers' the value 'True'"),
    "not divisible": ({"num_attention_heads": 3}, "The weights do not fit the ViT"),
    "an activation of its own": (
        {"hidden_act": "os.system"},
        "config.json gives 'hidden_act' the value 'os.system'",
    ),
    "grayscale": ({"num_channels": 1}, "config.json gives 'num_channels' the value '1'"),
    "classes with a gap": (
        {"id2label": {"0": "a", "7": "b"}},
        "The id2label of config.json does not name every output",
    ),
    "a class twice": (
        {"id2label": {"0": "a", "1": "a"}},
        "The id2label of config.json gives two outputs one name",
    ),
    "three names": (
        {"id2label": {"0": "a", "1": "b", "2": "c"}},
        "config.json names 3 classes, but the last layer has 2",
    ),
    "a text model": ({"model_type": "bert", "vocab_size": 10**9}, "config.json gives 'vocab_size' the value"),
}


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.usefixtures("here")
def test_a_description_of_what_no_plain_classifier_is_is_refused(refusal, tmp_path, kind):
    changes, start = CONFIGS[kind]
    assert str(refusal(written(tmp_path, zipped(with_config(folder_files(), **changes))))).startswith(start)


def lying_header(_=None):
    header = json.dumps({"vit.x": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4]}}).encode()
    return folder_files() | {"model.safetensors": struct.pack("<Q", len(header)) + header + bytes(4)}


NAN = np.full((2, 16), np.nan, "float32")
FOLDERS = {
    "no JSON": (lambda: folder_files() | {"config.json": b"{nonsense"}, "config.json cannot be read"),
    "a list": (lambda: folder_files() | {"config.json": b"[]"}, "config.json is no description of a model"),
    "no end of brackets": (
        lambda: folder_files() | {"config.json": b'{"a":' * 9_999},
        "config.json cannot be read",
    ),
    "a giant shape": (
        lying_header,
        "The safetensors file is damaged: a layer of shape (1000000, 1000000) has 4 bytes",
    ),
    "half a file": (
        lambda: folder_files() | {"model.safetensors": folder_files()["model.safetensors"][:-9]},
        "The safetensors file is damaged",
    ),
    "a pickle by that name": (
        lambda: folder_files() | {"model.safetensors": pickle.dumps(Bomb("touch /tmp/x"))},
        "The safetensors file is damaged",
    ),
    "no last layer": (
        lambda: weights(lambda w: drop(w, "classifier.")),
        "The weights have no last layer 'classifier' that tells classes apart",
    ),
    "a layer lacks": (lambda: weights(lambda w: drop(w, "vit.layernorm.")), "The weights do not fit the ViT"),
    "a layer too many": (
        lambda: weights(lambda w: w | {"evil.weight": NAN * 0 + 1}),
        "Layer 'evil.weight' holds",
    ),
    "a layer too many, finite": (
        lambda: weights(lambda w: w | {"evil.weight": np.ones((2, 2), "float32")}),
        "The weights do not fit the ViT",
    ),
    "another shape": (
        lambda: weights(lambda w: w | {"vit.layernorm.weight": np.ones(7, "float32")}),
        "The weights do not fit the ViT",
    ),
    "not numbers": (
        lambda: weights(lambda w: w | {"classifier.weight": NAN}),
        "Layer 'classifier.weight' holds values",
    ),
    "bytes for numbers": (
        lambda: weights(lambda w: w | {"classifier.weight": np.ones((2, 16), "int8")}),
        "A layer holds numbers of the type 'I8'",
    ),
    "pictures too large": (
        lambda: processor(size={"height": 10**9, "width": 10**9}),
        "preprocessor_config.json gives 'size' the value",
    ),
    "no spread": (
        lambda: processor(image_std=[0, 0, 0]),
        "preprocessor_config.json gives 'image_std' the value",
    ),
    "a mean of words": (
        lambda: processor(image_mean="red"),
        "preprocessor_config.json gives 'image_mean' the value",
    ),
    "two means": (
        lambda: processor(image_mean=[0.5, 0.5]),
        "preprocessor_config.json gives 'image_mean' the value",
    ),
    "another filter": (lambda: processor(resample=[]), "preprocessor_config.json gives 'resample' the value"),
}


def drop(layers, start):
    return {name: array for name, array in layers.items() if not name.startswith(start)}


@pytest.mark.parametrize("kind", FOLDERS)
@pytest.mark.usefixtures("here")
def test_a_folder_that_is_not_what_it_says_is_refused(refusal, tmp_path, kind):
    make, start = FOLDERS[kind]
    assert str(refusal(written(tmp_path, zipped(make())), size=None, normalisation="symmetric")).startswith(
        start
    )


@pytest.mark.usefixtures("here")
def test_a_text_model_is_told_apart_from_one_for_pictures_at_once(refusal, tmp_path):
    path = written(tmp_path, zipped(folder_files("bert")))
    assert str(refusal(path, kind="image")) == (
        "This model reads texts, but the data hold pictures; open it for data that hold texts."
    )
    bare = written(tmp_path, folder_files("bert")["model.safetensors"], "model.safetensors")
    assert str(refusal(bare)).startswith(
        "These are the weights of a model for texts (layer 'bert.embeddings.word_emb"
    )


def test_code_beside_sound_weights_is_never_run_and_nothing_of_the_hub_is_asked(
    refusal, tmp_path, monkeypatch
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")  # must not reach the worker
    folder, marker = tmp_path / "model", tmp_path / "exploded"
    folder.mkdir()
    told = with_config(folder_files(), auto_map={"AutoConfig": "configuration_evil.Evil"})
    for name, content in told.items():
        (folder / name).write_bytes(content)
    (folder / "configuration_evil.py").write_text(f"open({str(marker)!r}, 'w')")
    assert str(refusal(folder)).startswith("The model brings Python code ('configuration_evil.py')")
    (folder / "configuration_evil.py").rename(tmp_path / "configuration_evil.py")
    assert str(refusal(folder)).startswith("config.json asks for 'auto_map'")
    assert not marker.exists()


# --- skops


def everywhere(name, value):
    """A change of a schema: the first node whose loader is `name` becomes another."""

    def change(told):
        waiting = [told]
        while waiting:
            part = waiting.pop(0)
            if isinstance(part, dict):
                if part.get("__loader__") == name:
                    part.update(value)
                    return
                waiting += part.values()
            elif isinstance(part, list):
                waiting += part

    return lambda: with_schema(skops_file(), change)


def node(loader, module, name, **more):
    return {"__loader__": loader, "__module__": module, "__class__": name, **more}


def own(x):
    return x


def final_of(**attributes):
    """A skops file of a LogisticRegression with other attributes."""
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]], ["a", "b", "b"])
    for name, value in attributes.items():
        setattr(found, name, value)
    return skops_of(found)


def with_array(content):
    """The pipeline's skops file with other bytes in its first array."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(skops_file())) as source, zipfile.ZipFile(buffer, "w") as target:
        for number, info in enumerate(source.infolist()):
            target.writestr(info.filename, content if number == 0 else source.read(info))
    return buffer.getvalue()


def npy(shape, kind="<f8", data=b""):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"shape": shape, "fortran_order": False, "descr": kind})
    return buffer.getvalue() + data


def of_trees():
    from sklearn.ensemble import RandomForestClassifier

    return skops_of(RandomForestClassifier(2, max_depth=2).fit([[0.0], [1.0]], [0, 1]))


def own_code():
    from sklearn.preprocessing import FunctionTransformer

    return skops_of(FunctionTransformer(own))


def unfitted():
    from sklearn.linear_model import LogisticRegression

    return skops_of(LogisticRegression())


def three_at_once():
    from sklearn.linear_model import SGDClassifier

    return skops_of(SGDClassifier(loss="log_loss").fit([[0.0], [1.0], [2.0]], [0, 1, 2]))


def doubled():
    buffer = io.BytesIO(skops_file())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("schema.json", b"{}")
    return buffer.getvalue()


def swollen():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b"{}")
        for number in range(5):
            with archive.open(f"{number}.npy", "w") as file:
                for _ in range(60):
                    file.write(bytes(1 << 20))
    return buffer.getvalue()


FOREIGN, DAMAGED = "The file holds '", "The skops file is damaged or not whole"
DEEP = '{"a":' * 400 + "1" + "}" * 400
SKOPS = {
    "os.system": (everywhere("TypeNode", node("TypeNode", "os", "system")), FOREIGN + "os.system'"),
    "eval": (everywhere("ObjectNode", node("FunctionNode", "builtins", "eval")), FOREIGN + "builtins.eval'"),
    "a partial": (
        everywhere("SliceNode", node("PartialNode", "functools", "partial")),
        FOREIGN + "functools.partial'",
    ),
    "a method": (everywhere("SliceNode", node("MethodNode", "builtins", "str")), FOREIGN + "builtins.str'"),
    "an operator": (
        everywhere("SliceNode", node("OperatorFuncNode", "operator", "methodcaller")),
        FOREIGN + "operator.methodcaller'",
    ),
    "a constructor": (
        everywhere("SliceNode", node("ConstructorFromReduceNode", "sklearn.pipeline", "Pipeline")),
        FOREIGN + "sklearn.pipe",
    ),
    "a class of the library that is on no list": (
        everywhere("ObjectNode", node("ObjectNode", "sklearn.datasets._base", "load_files")),
        FOREIGN + "sklearn.datasets",
    ),
    "a class of its own": (
        everywhere("ObjectNode", node("ObjectNode", "evil", "Evil")),
        FOREIGN + "evil.Evil'",
    ),
    "code of its own": (own_code, FOREIGN),
    "trees": (of_trees, FOREIGN + "sklearn.ensemble._forest.RandomForestClassifier'"),
    "no loader": (everywhere("ObjectNode", {"__loader__": None}), FOREIGN + "sklearn."),
    "a loader that is a list": (
        everywhere("ObjectNode", {"__loader__": ["ObjectNode"]}),
        FOREIGN + "sklearn.",
    ),
    "a circle": (everywhere("ListNode", node("CachedNode", "builtins", "list", __id__=1)), DAMAGED),
    "a file of the server": (
        everywhere("NdArrayNode", {"type": "numpy", "file": "../../../etc/passwd"}),
        DAMAGED,
    ),
    "a pickle in an array": (
        lambda: with_array(npy((1,), "|O", pickle.dumps([Bomb("touch /tmp/x")]))),
        DAMAGED,
    ),
    "a giant array": (lambda: with_array(npy((10**6, 10**6))), DAMAGED),
    "no array": (lambda: with_array(b"nonsense"), DAMAGED),
    "no description": (lambda: with_schema(skops_file(), lambda _: [1]), DAMAGED),
    "too deep": (
        lambda: with_schema(skops_file(), lambda told: told | {"x": json.loads(DEEP)}),
        "The file describes more",
    ),
    "a name twice": (doubled, DAMAGED),
    "swollen": (swollen, "The file unpacks to 300 MiB, more than the 256 MiB"),
    "no estimator": (lambda: skops_of({"a": 1}), "The file holds no scikit-learn model"),
    "unfitted": (unfitted, "LogisticRegression is not fitted yet"),
    "only steps": (lambda: skops_of(pipeline()[:-1]), "ColumnTransformer "),
    "another shape": (lambda: final_of(coef_=np.ones((2, 2, 2))), ""),
    "not numbers": (
        lambda: final_of(coef_=np.full((1, 2), np.nan)),
        "The head's weights hold values that are not",
    ),
    "words for weights": (lambda: final_of(coef_=np.array([["a", "b"]])), ""),
    "one against the rest": (three_at_once, "SGDClassifier fits one class against the rest"),
}


@pytest.mark.parametrize("kind", SKOPS)
@pytest.mark.usefixtures("here")
def test_a_skops_file_that_holds_more_than_a_model_is_refused(refusal, tmp_path, kind):
    make, start = SKOPS[kind]
    assert str(refusal(written(tmp_path, make(), "model.skops"))).startswith(start)


@pytest.mark.usefixtures("here")
def test_trees_in_a_skops_file_bring_the_lines_for_their_answers(refusal, tmp_path):
    assert refusal(written(tmp_path, of_trees(), "model.skops")).converter == intake.CONVERTERS["answers"]

"""Model files of other libraries: opened, they answer as their own library does, and say what they are."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from fmd_core import ModelError, save_classifier
from fmd_core.__main__ import main
from fmd_core.language import descriptions
from fmd_core.models import skops_file
from fmd_core.models.encoding import encode_rows
from fmd_core.models.files import load_classifier
from fmd_core.models.hugging_face import config, preprocessing, tokenizer
from fmd_core.models.hugging_face import network as networks
from fmd_core.models.hugging_face import pictures as picture_encoders
from fmd_core.models.hugging_face import texts as text_encoders
from fmd_core.models.intake import intake, layer_names, refusals
from fmd_core.models.intake import worker as intake_worker
from fmd_core.models.preprocess import Preprocess
from tests.model_folders import (
    TINY,
    folder_files,
    library_model,
    pipeline,
    rows,
    skops_of,
    tokenizer_json,
    zipped,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:Stochastic Optimizer"
)
PICTURES = np.random.default_rng(1).integers(0, 256, (500, 32, 32, 3), "uint8")


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Open content as a file of that name, in this process; passport and classifier."""

    def ask(request):
        limits = {"max_tensors": intake.MAX_TENSORS, "max_elements": intake.MAX_ELEMENTS}
        return intake._findings(json.dumps(intake_worker.answer(request | limits)).encode(), 0)

    monkeypatch.setattr(intake, "_ask_worker", ask)

    def open_it(content, name="model.zip", **options):
        path, out = tmp_path / name, tmp_path / "out" / "model.safetensors"
        path.write_bytes(content)
        return intake.open_weights(path, **options, out=out), load_classifier(out)

    return open_it


def probabilities(classifier, inputs):
    return classifier.head.probabilities(classifier.encode([inputs]).astype("float64"))


# --- Hugging Face


@pytest.mark.parametrize("model_type", [name for name, one in config.FAMILIES.items() if one.kind == "image"])
def test_a_hugging_face_classifier_answers_as_the_library_does(opened, model_type):
    side = TINY[model_type].get("image_size", 32)
    network = library_model(model_type)
    files = {
        name: content for name, content in folder_files(model_type).items() if "preprocessor" not in name
    }
    passport, classifier = opened(zipped(files), size=side, normalisation="symmetric")
    assert (passport.door, passport.classes, passport.can) == (
        "hugging_face", ("no", "yes"), ("last layer", "gradients", "deeper"),
    )  # fmt: skip
    pictures = PICTURES[:, :side, :side]
    with torch.no_grad():
        given = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
        own = network(pixel_values=(given - 0.5) / 0.5).logits.double().softmax(1).numpy()
    ours = probabilities(classifier, pictures)
    assert np.abs(ours - own).max() < 1e-5
    assert (ours.argmax(1) != own.argmax(1)).sum() == 0
    again = classifier.with_weights({})
    np.testing.assert_allclose(probabilities(again, pictures[:9]), ours[:9], atol=1e-6)


def test_its_preprocessor_says_how_pictures_are_made_ready_unless_somebody_says_otherwise(opened):
    told = {
        "white": 1.0,
        "mean": [0.5] * 3,
        "spread": [0.5] * 3,
        "resample": "bilinear",
        "resize": "squash",
        "size": 16,
    }
    passport, classifier = opened(zipped(folder_files(), place="a folder/"))
    assert passport.preprocess == told
    assert (classifier.preprocess.size, classifier.preprocess.resize) == (16, "squash")
    _, other = opened(zipped(folder_files()), size=16, normalisation="imagenet")
    assert other.preprocess == Preprocess("imagenet", 16)


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"size": 224}, {"resize": "squash", "size": 224}),
        ({"size": {"height": 32, "width": 48}}, {"resize": "squash", "size": 32, "width": 48}),
        (
            {
                "size": {"shortest_edge": 256},
                "do_center_crop": True,
                "crop_size": {"height": 224, "width": 224},
            },
            {"resize": "shorter side", "size": 224, "scaled_to": 256},
        ),
        (
            {"size": {"shortest_edge": 224}, "crop_pct": 0.875},
            {"resize": "shorter side", "size": 224, "scaled_to": 256},
        ),
        ({"size": {"shortest_edge": 384}, "crop_pct": 0.875}, {"resize": "squash", "size": 384}),
        (
            {"do_resize": False, "do_rescale": False, "do_normalize": False},
            {"white": 255.0, "mean": (0.0,) * 3},
        ),
    ],
)
def test_every_form_of_a_preprocessor_is_followed(told, found):
    described = config.Described("convnext", {}, ())
    read = preprocessing.read_preprocessor(told, described)
    assert found.items() <= read.items()


PLAIN = {"mean": (0.5,) * 3, "spread": (0.5,) * 3, "white": 1.0, "resample": "bilinear"}
COLOURS = {"mean": (0.485, 0.456, 0.406), "spread": (0.229, 0.224, 0.225)}


@pytest.mark.parametrize(
    ("model_type", "told", "found"),
    [
        ("vit", {"size": 32}, PLAIN | {"resize": "squash", "size": 32}),
        ("resnet", {"size": 32}, PLAIN | COLOURS | {"resize": "squash", "size": 32}),
        ("vit", {"size": 32, "do_normalize": False}, PLAIN | {
            "mean": (0.0,) * 3, "spread": (1.0,) * 3, "resize": "squash", "size": 32,
        }),
        ("vit", {"size": 32, "do_resize": False}, {key: PLAIN[key] for key in ("mean", "spread", "white")}),
        ("vit", {"size": {"shortest_edge": 40}, "do_center_crop": True, "crop_size": 32, "resample": 3}, PLAIN | {
            "resize": "shorter side", "size": 32, "scaled_to": 40, "resample": "bicubic",
        }),
        ("convnext", {"size": {"shortest_edge": 224}, "crop_pct": None}, PLAIN | COLOURS | {
            "resize": "shorter side", "size": 224, "scaled_to": 256,
        }),
        ("vit", {
            "size": {"height": 32, "width": 48}, "resample": 3, "rescale_factor": 1 / 127.5,
            "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6],
        }, {
            "mean": (0.1, 0.2, 0.3), "spread": (0.4, 0.5, 0.6), "white": pytest.approx(2.0), "resample": "bicubic",
            "resize": "squash", "size": 32, "width": 48,
        }),
    ],
)  # fmt: skip
def test_nothing_that_a_preprocessor_says_is_lost(model_type, told, found):
    assert preprocessing.read_preprocessor(told, config.Described(model_type, {}, ())) == found


def test_pictures_are_made_ready_as_the_library_makes_them():
    from transformers import ViTImageProcessor

    told = {
        "do_resize": True, "size": {"height": 32, "width": 48}, "resample": 3, "do_rescale": True,
        "rescale_factor": 1 / 127.5, "do_normalize": True, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6],
    }  # fmt: skip
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 131, 3), "uint8"))
    theirs = np.asarray(ViTImageProcessor(**told)(picture, return_tensors="np")["pixel_values"])[0]
    ours = Preprocess(**preprocessing.read_preprocessor(told, config.Described("vit", {}, ())))
    difference = np.abs(ours.prepared(ours.fitted(picture)[None])[0] - theirs)
    assert difference.max() < 1.1 / 127.5 / 0.4  # a step of one, where their filter rounds otherwise
    assert difference.mean() < 1e-3


@pytest.mark.parametrize("told", [
    {"size": {"shortest_edge": 40}, "do_center_crop": True, "crop_size": {"height": 32, "width": 24}},
    {"size": {"height": 40, "width": 40}, "do_center_crop": True, "crop_size": 32},
])  # fmt: skip
def test_a_cut_that_cannot_be_followed_is_refused(told):
    with pytest.raises(ModelError, match="cannot be followed"):
        preprocessing.read_preprocessor(told, config.Described("vit", {}, ()))


@pytest.mark.parametrize(("read", "known"), [(config.read_config, "vit"), (descriptions.read_config, "gpt2")])
@pytest.mark.parametrize("asked", [
    "auto_map", "quantization_config", "custom_pipelines", "trust_remote_code", "adapter_config", "peft_type",
])  # fmt: skip
def test_code_and_weights_of_another_form_are_never_asked_for(read, known, asked):
    for value in ({"a": "b"}, "x", True, []):
        with pytest.raises(ModelError, match=f"asks for '{asked}'"):
            read({"model_type": known, asked: value})
    for nothing in (None, False):
        assert read({"model_type": known, asked: nothing}).model_type == known


def test_a_preprocessor_that_leaves_pictures_of_many_sizes_is_refused():
    with pytest.raises(ModelError, match="cuts nothing out"):
        preprocessing.read_preprocessor({"size": {"shortest_edge": 224}}, config.Described("vit", {}, ()))


@pytest.mark.parametrize("told", [{"size": {"longest_edge": 5}}, {"image_mean": "x"}, {"resample": True}])
def test_a_preprocessor_with_a_value_that_cannot_be_followed_is_refused(told):
    with pytest.raises(ModelError, match="cannot be followed"):
        preprocessing.read_preprocessor({"size": 32} | told, config.Described("vit", {}, ()))


def test_a_model_of_the_library_is_written_and_opened_again_with_another_last_layer(opened, tmp_path):
    _, classifier = opened(zipped(folder_files()))
    changed = classifier.with_head(replace(classifier.head, bias=classifier.head.bias + [0.0, 1.0]))
    save_classifier(changed, tmp_path / "ours.safetensors")
    again = load_classifier(tmp_path / "ours.safetensors")
    assert (again.fingerprint, again.preprocess) == (changed.fingerprint, classifier.preprocess)
    passport, _ = opened((tmp_path / "ours.safetensors").read_bytes(), "ours.safetensors")
    assert passport.is_ours
    with pytest.raises(ModelError, match="damaged"):
        picture_encoders.restore({"config": "{", "features": "3"}, {}, classifier.preprocess)
    with pytest.raises(ModelError, match="auto_map"):
        picture_encoders.restore(
            {"config": '{"auto_map": {"a": "b"}}', "features": "3"}, {}, classifier.preprocess
        )


@pytest.mark.parametrize("model_type", ["bert", "distilbert", "roberta"])
def test_the_encoder_of_a_text_model_answers_as_the_library_does(model_type):
    network, words = library_model(model_type), tokenizer_json()
    layers = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    described = config.read_config(json.loads(folder_files(model_type)["config.json"]))
    below, weight, bias = networks.with_last_layer(described, layers)
    encoder = text_encoders.HuggingFaceTextEncoder(described, below, weight.shape[1], words)
    texts = np.array(["a b c", "b", "c c a " * 300, ""], object)
    own = []
    for text in texts:
        ids = torch.tensor([encoder.tokenizer.encode(text).ids])
        with torch.no_grad():
            own.append(network(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.numpy()[0])
    ours = next(encoder.encode_batches([texts])) @ weight.T + bias
    np.testing.assert_allclose(ours, np.array(own), atol=1e-5)
    again = text_encoders.restore(*encoder.stored(), Preprocess())
    assert again.fingerprint == encoder.fingerprint


def test_words_with_patterns_of_their_owners_are_refused():
    told = json.loads(tokenizer_json()) | {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+$"}}}
    with pytest.raises(ModelError, match="pre_tokenizer 'Split', which is not followed"):
        tokenizer.check_words(json.dumps(told).encode())
    with pytest.raises(ModelError, match="cannot be read"):
        tokenizer.check_words(b"[]")


# --- scikit-learn


@pytest.mark.parametrize("final", ["LogisticRegression", "MLPClassifier", "SGDClassifier"])
def test_a_skops_file_answers_as_scikit_learn_does(opened, final):
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.neural_network import MLPClassifier

    model = pipeline(
        {
            "LogisticRegression": LogisticRegression(), "SGDClassifier": SGDClassifier(loss="log_loss", random_state=0),
            "MLPClassifier": MLPClassifier((8, 4), max_iter=20, random_state=0),
        }[final]
    )  # fmt: skip
    frame, _ = rows()
    passport, classifier = opened(skops_of(model), "model.skops")
    assert (passport.door, passport.classes, passport.kind) == ("skops", ("no", "yes"), "table")
    exact = classifier.head.probabilities(classifier.encoder._encode(frame))
    assert np.abs(exact - model.predict_proba(frame)).max() < 1e-12
    assert np.abs(probabilities(classifier, frame) - model.predict_proba(frame)).max() < 1e-6
    assert classifier.fingerprint == opened(skops_of(model), "model.skops")[1].fingerprint != ""


def test_a_skops_file_without_column_names_must_fit_the_columns(opened):
    from sklearn.linear_model import LogisticRegression

    content = skops_of(LogisticRegression().fit(np.eye(4), [0, 1, 0, 1]))
    assert opened(content, "m.skops", n_inputs=4, n_classes=2)[0].n_features == 4
    with pytest.raises(intake.IntakeRefusal, match="rows of 4 numbers without names, but the data hold 7"):
        opened(content, "m.skops", n_inputs=7)
    with pytest.raises(intake.IntakeRefusal, match="tells 2 classes apart, but the target has 3"):
        opened(content, "m.skops", n_classes=3)


def test_columns_of_a_skops_file_are_found_by_their_letters_or_named_as_missing(opened, tmp_path):
    from fmd_core.datasets.table_dataset import make_table_dataset

    model, (frame, labels) = pipeline(), rows()
    parts = np.resize(["train", "train", "validation", "test", "external"], len(frame))
    other = frame.rename(columns={"age": "Age", "hours": "HOURS"}).assign(told=labels, sex=["f", "m"] * 30)
    data = make_table_dataset("staff", other, target="told", protected=["sex"], split=parts)
    _, classifier = opened(skops_of(model), "model.skops", n_classes=2)
    fitted, told = skops_file.fitted_to(classifier, data)
    assert told == ("All columns that it reads were found by their names.",)
    save_classifier(fitted, tmp_path / "ours.safetensors")
    for one in (fitted, load_classifier(tmp_path / "ours.safetensors")):
        features = encode_rows(one, data, np.arange(60))
        own = one.head.probabilities(features.astype("float64"))
        assert np.abs(own - model.predict_proba(frame)).max() < 1e-6
    less = make_table_dataset(
        "staff", other.drop(columns="HOURS"), target="told", protected=["sex"], split=parts
    )
    with pytest.raises(ModelError, match=r"^The model reads 'hours', which 'staff' does not have"):
        skops_file.fitted_to(classifier, less)


def test_what_is_trusted_is_no_more_than_what_is_checked():
    assert "sklearn.preprocessing._function_transformer.FunctionTransformer" in skops_file.TRUSTED
    assert not [
        name
        for name in skops_file.TRUSTED
        if name.startswith(("os.", "builtins.", "operator.", "functools."))
    ]


# --- state dicts under many names


def small():
    from fmd_core.models.architectures import build_encoder

    torch.manual_seed(0)
    return dict(build_encoder("face_cnn").state_dict()), torch.nn.Linear(128, 2)


NAMES = {
    "net.": lambda e, h: {**{f"net.{k}": v for k, v in e.items()}, **h("net.head")},
    "backbone. and a head beside it": lambda e, h: {**{f"backbone.{k}": v for k, v in e.items()}, **h("fc")},
    "module.model.": lambda e, h: {
        **{f"module.model.{k}": v for k, v in e.items()},
        **h("module.model.head"),
    },
    "a head behind dropout": lambda e, h: {**e, **h("head.1")},
    "a head in a Sequential of the model": lambda e, h: {
        **{f"model.{k}": v for k, v in e.items()},
        **h("classifier.0"),
    },
    "a loss with weights": lambda e, h: {
        **e,
        **h("head"),
        "loss.weight": torch.ones(2),
        "criterion.pos": torch.ones(1),
    },
}


@pytest.mark.parametrize("names", NAMES)
def test_a_network_under_other_names_answers_the_same(opened, names):
    encoder, head = small()

    def last(name):
        return {f"{name}.weight": head.weight.detach(), f"{name}.bias": head.bias.detach()}

    buffer = io.BytesIO()
    torch.save({"epoch": 3, "state_dict": NAMES[names](encoder, last)}, buffer)
    told, classifier = opened(buffer.getvalue(), "last.ckpt", architecture="face_cnn", n_classes=2)
    by_itself, same = opened(buffer.getvalue(), "last.ckpt")
    assert by_itself.architecture == told.architecture == "face_cnn"
    assert same.fingerprint == classifier.fingerprint
    np.testing.assert_array_equal(classifier.head.weight, head.weight.detach().numpy())
    for name, array in classifier.encoder_state.items():
        np.testing.assert_array_equal(array, encoder[name].numpy())


def test_two_linear_layers_above_the_network_ask_for_onnx(opened):
    encoder, head = small()
    state = {
        **encoder,
        "fc.0.weight": torch.ones(8, 128),
        "fc.2.weight": torch.ones(2, 8),
        "fc.2.bias": head.bias.detach(),
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with pytest.raises(intake.IntakeRefusal, match=r"2 linear layers \(fc\.0, fc\.2\)") as caught:
        opened(buffer.getvalue(), "m.pt", architecture="face_cnn")
    assert caught.value.converter == refusals.CONVERTERS["onnx"]


def test_the_network_that_the_layers_do_belong_to_is_named(opened):
    encoder, head = small()
    buffer = io.BytesIO()
    torch.save({**encoder, "head.weight": head.weight.detach(), "head.bias": head.bias.detach()}, buffer)
    with pytest.raises(
        intake.IntakeRefusal, match="They are those of Small network \\(4 layers, for faces\\): choose"
    ):
        opened(buffer.getvalue(), "m.pt", architecture="small_cnn")


class AttributeDict(dict):
    """As Lightning keeps settings."""


def test_the_settings_of_lightning_are_passed_over(opened):
    encoder, head = small()
    AttributeDict.__module__ = "lightning_fabric.utilities.data"
    state = {f"model.{k}": v for k, v in encoder.items()}
    state |= {
        "model.head.weight": head.weight.detach(),
        "model.head.bias": head.bias.detach(),
        "loss.weight": torch.ones(2),
    }
    buffer = io.BytesIO()
    plain = {
        "state_dict": state,
        "hyper_parameters": {"lr": 0.1},
        "optimizer_states": [{"state": {}}],
        "loops": {},
    }
    torch.save(plain, buffer)
    passport, _ = opened(buffer.getvalue(), "epoch=3.ckpt", n_classes=2)
    assert passport.stripped_prefix == "model."
    assert "1 table of numbers of a loss was left out." in passport.checks


def test_no_network_of_our_list_is_taken_for_another():
    for name in (
        "small_cnn",
        "face_cnn",
        "resnet18",
        "resnet34",
        "resnet50",
        "mobilenet_v3_large",
        "efficientnet_b0",
    ):
        from fmd_core.models.architectures import build_encoder

        with torch.device("meta"):
            state = build_encoder(name).state_dict()
        assert (
            layer_names.recognised(
                {k: np.broadcast_to(np.float32(0), tuple(v.shape)) for k, v in state.items()}
            )
            == name
        )


# --- the process that waits


def test_a_process_that_was_prepared_opens_the_next_file_under_the_same_limits(tmp_path):
    encoder, head = small()
    torch.save({**encoder, "head.weight": head.weight, "head.bias": head.bias}, tmp_path / "m.pt")
    intake.prepare()
    intake.prepare()  # one is enough
    (waiting,) = intake._spare
    passport = intake.open_weights(tmp_path / "m.pt", out=tmp_path / "out.safetensors")
    assert passport.architecture == "face_cnn"
    assert waiting.process.returncode == 0  # it was that one, and it opened one file
    assert not intake._spare


def test_a_process_that_is_asked_nothing_ends(tmp_path):
    with (tmp_path / "nothing").open("w+") as pipe:
        assert intake_worker.comes(pipe, 0.1) is False


# --- the code for owners


@pytest.mark.parametrize("program", ["torchscript_onnx", "exported"])
@pytest.mark.filterwarnings("ignore")
def test_the_lines_for_other_programs_of_pytorch_export_onnx(tmp_path, monkeypatch, program):
    import onnxruntime

    monkeypatch.chdir(tmp_path)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, 4),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 2),
    ).eval()
    given = torch.rand(5, 3, 224, 224)
    if program == "exported":
        several = torch.export.Dim("n")
        torch.export.save(torch.export.export(network, (given,), dynamic_shapes=({0: several},)), "our.pt2")
    else:
        torch.jit.save(torch.jit.trace(network, given[:1]), "our.pt2")
    exec(refusals.with_file(refusals.CONVERTERS[program], "our.pt2"), {})
    answer = onnxruntime.InferenceSession("model.onnx").run(None, {"x": given.numpy()})[0]
    np.testing.assert_allclose(answer, network(given).detach().numpy(), atol=1e-5)


def test_the_lines_for_scikit_learn_write_a_skops_file(tmp_path, monkeypatch):
    import joblib

    monkeypatch.chdir(tmp_path)
    joblib.dump(pipeline(), "our.pkl")
    with pytest.raises(intake.IntakeRefusal, match="a pickle of scikit-learn") as caught:
        intake.inspect_file(tmp_path / "our.pkl")
    exec(refusals.with_file(caught.value.converter, "our.pkl"), {})
    assert intake.inspect_file(tmp_path / "model.skops")[0] == "skops"


def test_a_file_name_cannot_write_code():
    code = refusals.with_file(refusals.CONVERTERS["sklearn"], '"); import os; os.system("x")\n#.pkl')
    assert compile(code, "code", "exec")
    assert "os.system(" not in code


# --- fmd inspect


@pytest.mark.usefixtures("opened")
def test_inspect_is_a_declared_document_with_probabilities(tmp_path, capsys):
    (tmp_path / "model.zip").write_bytes(zipped(folder_files()))
    np.save(tmp_path / "x.npy", PICTURES[:5, :16, :16])
    asked = [
        "inspect",
        str(tmp_path / "model.zip"),
        "--inputs",
        str(tmp_path / "x.npy"),
        "--classes",
        "dark,blond",
    ]
    assert main([*asked, "--json", "-"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["opened"], told["door"]) == ("fmd-passport-1", True, "hugging_face")
    assert (told["architecture"], told["n_features"], told["classes"]) == (
        "ViT (Hugging Face)",
        16,
        ["dark", "blond"],
    )
    assert {"preprocess", "can", "digest", "sentence"} <= told.keys()
    network = library_model("vit")
    with torch.no_grad():
        given = torch.from_numpy(PICTURES[:5, :16, :16]).permute(0, 3, 1, 2).float() / 127.5 - 1
        own = network(pixel_values=given).logits.double().softmax(1).numpy()
    np.testing.assert_allclose(told["probabilities"], own, atol=1e-5)


def test_inspect_of_what_is_not_opened_says_why_and_brings_the_lines(tmp_path, capsys):
    path = tmp_path / "xgb.json"
    path.write_bytes(b'{"learner":{"attributes":{}}}')
    assert main(["inspect", str(path), "--json", str(tmp_path / "told.json")]) == 3
    assert 'model_file="xgb.json"' in capsys.readouterr().err
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["opened"], told["sentence"][:26]) == (False, "This is a model of XGBoost")


@pytest.mark.parametrize(
    ("array", "words"),
    [(np.array([{}], object), "no array of numbers"), (np.zeros((2, 3, 3)), "give pictures uint8")],
)
def test_inspect_refuses_inputs_that_no_model_reads(tmp_path, capsys, array, words):
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    assert main(["inspect", "gone.pt", "--inputs", str(tmp_path / "x.npy")]) == 3
    assert words in capsys.readouterr().err


def test_a_zip_beside_which_somebody_keeps_other_weights_uses_the_safe_ones(opened):
    files = folder_files() | {
        "pytorch_model.bin": b"\x80\x04evil",
        "__MACOSX/._config.json": b"x",
        "README.md": b"x",
    }
    assert opened(zipped(files))[0].door == "hugging_face"
    assert zipfile.is_zipfile(io.BytesIO(zipped(files)))

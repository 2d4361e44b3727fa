"""Networks of the Hugging Face hub: small ones with random weights in folders, against transformers' own forward."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from phosphene import nets
from phosphene.errors import MissingExtraError, WeightsError
from phosphene.nets.base import Net
from phosphene.nets.foreign import huggingface
from phosphene.nets.receptive import Field

pytestmark = pytest.mark.skipif(find_spec("transformers") is None, reason="needs transformers")

TOKENS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
PROCESSOR = {"do_normalize": True, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]}


def configuration(family: str) -> Any:
    import transformers

    match family:
        case "ResNetForImageClassification":
            return transformers.ResNetConfig(embedding_size=8, hidden_sizes=[16, 24], depths=[1, 2], num_labels=5)
        case "ConvNextForImageClassification":
            return transformers.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, num_labels=5)
        case "ViTForImageClassification":
            return transformers.ViTConfig(image_size=64, patch_size=16, num_labels=5, **TOKENS)
        case "Dinov2Model":
            return transformers.Dinov2Config(image_size=56, patch_size=14, **TOKENS)
        case "Dinov2WithRegistersModel":
            return transformers.Dinov2WithRegistersConfig(image_size=56, patch_size=14, **TOKENS)
        case _:
            return transformers.CLIPVisionConfig(image_size=64, patch_size=16, **TOKENS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hub")


def saved(folders: Path, family: str) -> tuple[Path, Any]:
    """A folder with a small network of a family, as `save_pretrained` makes it, and the network."""
    import transformers

    folder = folders / family
    torch.manual_seed(0)
    model = getattr(transformers, family)(configuration(family)).eval()
    if not folder.exists():
        transformers.utils.logging.disable_progress_bar()
        model.save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps({**PROCESSOR, "size": {"shortest_edge": 64}}))
    return folder, model


@pytest.fixture(scope="module")
def convolutional(folders: Path) -> dict[str, Net]:
    """The two families that have receptive fields, which take their time to be found."""
    families = ("ResNetForImageClassification", "ConvNextForImageClassification")
    return {family: nets.load(f"hf:{saved(folders, family)[0]}") for family in families}


# A layer of each, and where transformers has it among its hidden states.
FAMILIES = [
    ("ResNetForImageClassification", "resnet.encoder.stages.1", 2, 0),
    ("ConvNextForImageClassification", "convnext.encoder.stages.1", 2, 0),
    ("ViTForImageClassification", "vit.layers.0", 1, 16),
    ("Dinov2Model", "encoder.layer.0", 1, 14),
    ("Dinov2WithRegistersModel", "encoder.layer.0", 1, 14),
    ("CLIPVisionModel", "encoder.layers.0", 1, 16),
]


@pytest.mark.parametrize(("family", "layer", "state", "patch"), FAMILIES)
def test_values_are_transformers_own(
    folders: Path, convolutional: dict[str, Net], family: str, layer: str, state: int, patch: int
) -> None:
    folder, model = saved(folders, family)
    net = convolutional.get(family) or nets.load(f"hf:{folder}")
    image = torch.rand(2, 3, 70, 112)
    more = {"interpolate_pos_encoding": True} if family.startswith(("ViT", "CLIP")) else {}
    with torch.no_grad():
        expected = model(net.card.normalise(image), output_hidden_states=True, **more)
        found = net(image, [layer])[layer]
    hidden = expected.hidden_states[state]
    if patch:  # tokens: those that stand for places are the last
        rows, columns = 70 // patch, 112 // patch
        grid = hidden[:, hidden.shape[1] - rows * columns :]
        hidden = grid.reshape(2, rows, columns, -1).permute(0, 3, 1, 2)
        assert net.card.layer(layer).receptive is None
    else:
        assert net.card.layer(layer).receptive is not None
    torch.testing.assert_close(found, hidden, rtol=1e-4, atol=1e-4)
    assert (net.card.input.mean, net.card.input.std, net.card.input.size) == ((0.4, 0.5, 0.6), (0.2, 0.3, 0.4), 64)
    assert len(net.card.sha256) == 64
    if family.endswith("Classification"):
        scores = net(image, ["logits"])["logits"]
        torch.testing.assert_close(scores, expected.logits, rtol=1e-4, atol=1e-4)
        assert net.card.labels[0] == ("LABEL_0",)
    else:
        assert net.card.classes is None


def test_gradients_reach_the_picture(folders: Path) -> None:
    folder, _ = saved(folders, "CLIPVisionModel")
    net = nets.load(f"hf:{folder}")
    image = torch.rand(1, 3, 64, 96, requires_grad=True)
    net(image, ["encoder.layers.1"])["encoder.layers.1"].square().sum().backward()
    assert image.grad is not None
    assert image.grad.abs().mean() > 0


def test_convolutional_ones_have_fields_and_classes_from_a_mean(convolutional: dict[str, Net]) -> None:
    card = convolutional["ResNetForImageClassification"].card
    assert card.layer("resnet.embedder").receptive == Field(-5, 11, 4)
    assert card.pooled == "resnet.encoder.stages.1"
    card = convolutional["ConvNextForImageClassification"].card
    assert card.layer("convnext.encoder.stages.0.layers.0.pwconv1").receptive == Field(-12, 28, 4)


def test_clips_image_half_is_taken_from_the_whole(tmp_path: Path) -> None:
    import transformers

    config = transformers.CLIPConfig(
        vision_config={"image_size": 64, "patch_size": 16, **TOKENS}, text_config={**TOKENS, "vocab_size": 50}
    )
    transformers.utils.logging.disable_progress_bar()
    transformers.CLIPModel(config).save_pretrained(tmp_path)
    net = nets.load(f"hf:{tmp_path}")
    assert net.card.title.startswith("CLIPVisionModel")
    assert net.card.layer("encoder.layers.1").channels == 32


def edited(folders: Path, tmp_path: Path, family: str, **changes: object) -> Path:
    folder, _ = saved(folders, family)
    for each in folder.iterdir():
        (tmp_path / each.name).write_bytes(each.read_bytes())
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"num_hidden_layers": 10**9}, "must have at most 1000 for num_hidden_layers, but has 1000000000"),
        ({"hidden_size": 65536, "num_attention_heads": 2}, "describes a network of"),
        ({"model_type": "no such thing"}, "cannot be loaded"),
        ({"model_type": "bert", "architectures": ["BertModel"]}, "cannot run on an image|cannot be loaded|no tensor"),
        ({"num_hidden_layers": 3}, r"has no tensor 'vit.layers.2"),
        ({"intermediate_size": 65}, "cannot be loaded|wrong shape"),
        ({"auto_map": {"AutoConfig": "evil.Evil"}, "model_type": "evil"}, "cannot be loaded"),
    ],
)
def test_bad_descriptions_are_one_line(folders: Path, tmp_path: Path, changes: dict[str, object], says: str) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('this was run')\n")
    folder = edited(folders, tmp_path, "ViTForImageClassification", **changes)
    with pytest.raises(Exception, match=says) as caught:
        huggingface.load(str(folder))
    assert "\n" not in str(caught.value)


def test_without_transformers_the_line_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'phosphene\[models\]'"):
        nets.load("hf:microsoft/resnet-50")


def test_only_safetensors_are_read(folders: Path, tmp_path: Path) -> None:
    folder = edited(folders, tmp_path, "ViTForImageClassification")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"must have a model\.safetensors, but has none"):
        huggingface.load(str(folder))


def test_a_damaged_file_is_told(folders: Path, tmp_path: Path) -> None:
    folder = edited(folders, tmp_path, "ViTForImageClassification")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="cannot be loaded"):
        huggingface.load(str(folder))


def test_a_folder_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"hf:.*nowhere cannot be loaded"):
        nets.load(f"hf:{tmp_path}/nowhere")


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_huge_network_is_not_downloaded(monkeypatch: pytest.MonkeyPatch, folders: Path, file: str) -> None:
    import huggingface_hub
    import transformers

    folder, _ = saved(folders, "ViTForImageClassification")
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    sizes = {file: 50_000_000_000}
    monkeypatch.setattr(
        huggingface_hub,
        "get_hf_file_metadata",
        lambda url: SimpleNamespace(size=sizes.get(url.rsplit("/", 1)[-1], 100)),
    )
    config = transformers.AutoConfig.from_pretrained(folder)
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", lambda *_, **__: config)
    monkeypatch.setattr(transformers.utils, "cached_file", lambda *_, **__: pytest.fail("it was downloaded"))
    with pytest.raises(WeightsError, match=r"has files of 50\.0 GB, but at most 6 GB are downloaded"):
        nets.load("hf:someone/huge")

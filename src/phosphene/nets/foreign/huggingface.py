"""Image networks of the Hugging Face hub, through `transformers`: `hf:microsoft/resnet-50`, or `hf:FOLDER`.

Only weights in safetensors are read, and only structures that come with `transformers` are built: no code
of a checkpoint is run. Tokens are arranged as the grid of patches that they belong to.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from phosphene.errors import MissingExtraError, PhospheneError, WeightsError
from phosphene.nets.base import Net
from phosphene.nets.foreign.wrap import watch
from phosphene.nets.weights import store

PREFIX = "hf:"

MOST_LAYERS = 1000
"""More blocks than any network has; a malicious configuration could ask for billions."""

SPARE = 1.1
"""How many numbers a network may have per byte of its file; tensors that the file omits are small."""

MOST_BYTES = 6_000_000_000
"""Largest download; a larger network can be fetched by hand and given as a folder."""

HALF = (0.5, 0.5, 0.5)

IMAGE_ENCODERS = {"clip": "CLIPVisionModel", "siglip": "SiglipVisionModel", "siglip2": "Siglip2VisionModel"}
"""The class of the image encoder in networks of images and text."""

T = TypeVar("T")


def load(identifier: str) -> Net:
    """Return the network `identifier` of the hub, or of a folder.

    It is downloaded if necessary: into the hub's own cache or, if `PHOSPHENE_CACHE` is set, into the folder `hub`
    there.

    Raises:
        MissingExtraError: if `transformers` is not installed.
        WeightsError: if the network does not exist, has no safetensors, is not an image network or does not fit its
            configuration.
    """
    try:
        import transformers
    except ImportError:
        raise MissingExtraError("networks of the Hugging Face hub", "models") from None
    where: dict[str, Any] = {"trust_remote_code": False}
    if store.VARIABLE in os.environ:
        where["cache_dir"] = str(store.folder().parent / "hub")
    with _quiet(transformers):
        _check_size(identifier, ["config.json", "preprocessor_config.json"], where)
        config = _ask(identifier, lambda: transformers.AutoConfig.from_pretrained(identifier, **where))
        _sensible(config.to_dict(), identifier)
        kind = _kind(transformers, config)
        files = _files(identifier, where)
        _fitting(kind, config, files, identifier)
        model, info = _ask(
            identifier,
            lambda: kind.from_pretrained(identifier, use_safetensors=True, output_loading_info=True, **where),
        )
        settings = _processor(transformers, identifier, where)
    _complete(info, identifier)
    return watch(
        model,
        mean=tuple(settings["image_mean"]),
        std=tuple(settings["image_std"]),
        labels=_labels(model.config),
        name=PREFIX + identifier,
        input_size=_input_size(settings, model.config),
        title=f"{type(model).__name__} of the Hugging Face hub",
        source=f"https://huggingface.co/{identifier}" if not Path(identifier).exists() else identifier,
        sha256=_sha256(files),
        licence="see its model card",
        call=_caller(model),
        patch=_patch(model.config),
    )


def _ask(identifier: str, question: Callable[[], T]) -> T:
    """Return what transformers answers; turn any exception that it raises into one line."""
    try:
        return question()
    except PhospheneError:
        raise
    # For bad checkpoints transformers raises OSError, ValueError, KeyError and errors of its dependencies.
    except Exception as problem:
        reason = " ".join(str(problem).split())[:300]
        raise WeightsError(
            f"{PREFIX}{identifier} cannot be loaded ({type(problem).__name__}: {reason})", path=identifier
        ) from problem


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Silence transformers' own progress bars and advice."""
    logging = transformers.utils.logging
    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _kind(transformers: Any, config: Any) -> Any:
    """Return the class to build: the image encoder, the classifier if the checkpoint has one, or the bare network."""
    if config.model_type in IMAGE_ENCODERS:
        return getattr(transformers, IMAGE_ENCODERS[config.model_type])
    architectures = config.architectures or [""]
    wanted = architectures[0]
    mappings = (transformers.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING, transformers.MODEL_MAPPING)
    if wanted.endswith("ForImageClassification") and type(config) in mappings[0]:
        return mappings[0][type(config)]
    if type(config) in mappings[1]:
        return mappings[1][type(config)]
    raise WeightsError(
        f"the checkpoint must be of an image network that transformers has, but is of type {config.model_type!r}"
    )


def _sensible(config: Mapping[str, Any], identifier: str) -> None:
    """Refuse the configuration of an absurdly deep network before anything is built."""
    for key in ("num_hidden_layers", "depths", "num_attention_heads", "num_register_tokens", "num_channels"):
        value = config.get(key)
        for each in value if isinstance(value, list | tuple) else [value]:
            if isinstance(each, int) and each > MOST_LAYERS:
                raise WeightsError(
                    f"{PREFIX}{identifier} must have at most {MOST_LAYERS} for {key}, but has {each}", path=identifier
                )


def _files(identifier: str, where: Mapping[str, Any]) -> list[Path]:
    """Return the safetensors files of a checkpoint, downloaded if necessary."""
    from transformers.utils import cached_file

    def find(name: str) -> str | None:
        _check_size(identifier, [name], where)
        return cached_file(
            identifier,
            name,
            cache_dir=where.get("cache_dir"),
            _raise_exceptions_for_missing_entries=False,
        )

    whole = _ask(identifier, lambda: find("model.safetensors"))
    if whole:
        return [Path(whole)]
    index = _ask(identifier, lambda: find("model.safetensors.index.json"))
    if not index:
        raise WeightsError(
            f"{PREFIX}{identifier} must have a model.safetensors, but has none; other formats are not read",
            path=identifier,
        )
    parts = _ask(identifier, lambda: sorted(set(json.loads(Path(index).read_text())["weight_map"].values())))
    _check_size(identifier, [Path(part).name for part in parts], where)
    found = [_ask(identifier, lambda part=part: find(Path(part).name)) for part in parts]  # type: ignore[misc]
    return [Path(each) for each in found if each]


def _check_size(identifier: str, names: Sequence[str], where: Mapping[str, Any]) -> None:
    """Raise `WeightsError` if the files that would have to be downloaded have more than `MOST_BYTES` together."""
    total = sum(_bytes_to_fetch(identifier, name, where) for name in names)
    if total > MOST_BYTES:
        raise WeightsError(
            f"{PREFIX}{identifier} has files of {total / 1e9:.1f} GB, but at most {MOST_BYTES / 1e9:.0f} GB are "
            f"downloaded: fetch it by hand (hf download {identifier} --local-dir FOLDER), and give {PREFIX}FOLDER",
            path=identifier,
        )


def _bytes_to_fetch(identifier: str, name: str, where: Mapping[str, Any]) -> int:
    """Return the size of a file at the hub; 0 if it is here, or not there: whoever reads it says what is wrong."""
    import huggingface_hub

    if Path(identifier).is_dir():
        return 0
    try:
        if huggingface_hub.try_to_load_from_cache(identifier, name, cache_dir=where.get("cache_dir")):
            return 0
        size = huggingface_hub.get_hf_file_metadata(huggingface_hub.hf_hub_url(identifier, name)).size
    except (OSError, ValueError):  # a name that cannot be one, no such file, no connection
        return 0
    return MOST_BYTES + 1 if size is None else size


def _fitting(kind: Any, config: Any, files: list[Path], identifier: str) -> None:
    """Refuse the configuration of a network that is larger than its file before it takes any memory."""
    import torch

    with torch.device("meta"):
        own = config.vision_config if config.model_type in IMAGE_ENCODERS else config
        model = _ask(identifier, lambda: kind(own))
    wanted = sum(weight.numel() for weight in model.parameters())
    size = sum(each.stat().st_size for each in files)
    # A number takes at least one byte.
    if wanted > SPARE * size + 1_000_000:
        raise WeightsError(
            f"{PREFIX}{identifier} describes a network of {wanted} numbers, but its file has {size} bytes",
            path=identifier,
        )


def _complete(info: Mapping[str, Any], identifier: str) -> None:
    for problem in ("missing_keys", "mismatched_keys"):
        names = sorted(map(str, info.get(problem) or ()))
        if names:
            what = "has no tensor" if problem == "missing_keys" else "has the wrong shape for"
            raise WeightsError(f"{PREFIX}{identifier} {what} {names[0]!r}", path=identifier)


def _processor(transformers: Any, identifier: str, where: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checkpoint's image settings; the default is a mean and std of 0.5."""
    reader = transformers.ImageProcessingMixin.get_image_processor_dict
    try:
        found, _ = reader(identifier, **where)
    except (OSError, ValueError):
        found = {}
    plain = not found.get("do_normalize", True)
    mean, std = ((0.0,) * 3, (1.0,) * 3) if plain else (found.get("image_mean"), found.get("image_std"))
    colours = [each if isinstance(each, list | tuple) and len(each) == 3 else HALF for each in (mean, std)]
    if plain:
        colours = [mean, std]
    return found | dict(zip(("image_mean", "image_std"), [tuple(map(float, each)) for each in colours], strict=True))


def _input_size(settings: Mapping[str, Any], config: Any) -> int:
    """Return the side in pixels of the images that it was trained on."""
    for key in ("crop_size", "size"):
        value = settings.get(key)
        sides = value.values() if isinstance(value, dict) else [value]
        whole = [side for side in sides if isinstance(side, int) and 16 <= side <= 2048]
        if whole:
            return whole[0]
    side = getattr(config, "image_size", None)
    return side if isinstance(side, int) and 16 <= side <= 2048 else 224


def _patch(config: Any) -> int | None:
    side = getattr(config, "patch_size", None)
    return side if isinstance(side, int) and not getattr(config, "depths", None) else None


def _labels(config: Any) -> list[str]:
    names = config.id2label or {}
    return [str(names[index]) for index in sorted(names)]


def _caller(model: nn.Module) -> Callable[[nn.Module, Tensor], object]:
    """Return how to run the network, with position embeddings interpolated to the image's size if that is an option."""
    stretch = "interpolate_pos_encoding" in inspect.signature(model.forward).parameters

    def call(module: nn.Module, x: Tensor) -> object:
        output = module(pixel_values=x, **({"interpolate_pos_encoding": True} if stretch else {}))
        return output.get("logits")

    return call


def _sha256(files: list[Path]) -> str:
    """Return the SHA-256 of the weights, or for several files that of their digests in order."""
    digests = [store.hashes(each)["sha256"] for each in files]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()

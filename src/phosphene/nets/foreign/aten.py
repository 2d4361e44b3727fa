"""The operations that an exported program may use: they compute something from their arguments, and nothing else.

Most of PyTorch's operations check the shapes that they are given. Those that do not, because PyTorch itself calls them
only after a check, could read memory outside their arguments: `CHECKED` replaces them by functions that check first.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

OPERATIONS = frozenset(
    # One group to a line or two reads better than one name.
    """
    conv1d conv2d conv3d convolution conv_transpose2d linear matmul mm bmm addmm baddbmm einsum dot mv outer
    relu relu6 hardtanh hardsigmoid hardswish sigmoid tanh gelu silu mish elu celu selu leaky_relu prelu
    softplus softsign log_sigmoid threshold glu softmax log_softmax clamp clamp_min
    clamp_max instance_norm group_norm
    layer_norm native_layer_norm rms_norm local_response_norm max_pool2d
    max_pool2d_with_indices avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d
    _adaptive_avg_pool2d adaptive_max_pool2d add sub mul div rsub neg pow sqrt rsqrt square exp expm1 log
    log1p log2 abs sin cos sinh cosh tan atan atan2 reciprocal sign floor ceil round trunc frac erf maximum
    minimum max min fmax fmin addcmul addcdiv lerp where eq ne lt le gt ge logical_and logical_or
    logical_not bitwise_and bitwise_or bitwise_not isnan isinf mean sum prod amax amin var std var_mean
    std_mean norm linalg_vector_norm logsumexp cumsum argmax argmin topk cat concat stack split
    split_with_sizes chunk unbind hstack vstack tensor_split view reshape flatten unflatten
    squeeze unsqueeze permute transpose t mT movedim swapaxes expand expand_as repeat repeat_interleave tile
    slice select narrow index index_select gather masked_fill flip roll rot90 pixel_shuffle pixel_unshuffle
    channel_shuffle unfold im2col col2im diagonal tril triu contiguous clone detach alias lift_fresh_copy to
    _to_copy type_as dropout native_dropout feature_dropout alpha_dropout pad constant_pad_nd
    reflection_pad2d replication_pad2d

    affine_grid_generator embedding one_hot arange linspace full zeros ones full_like zeros_like
    ones_like new_zeros new_ones new_full scalar_tensor meshgrid


    """.split()  # noqa: SIM905
)
"""Operations of `torch.ops.aten` that compute something from what they are given, and do nothing else."""

CHECKS = frozenset(
    {
        "_assert_scalar",
        "_assert_tensor_metadata",
        "_assert_async",
        "sym_constrain_range",
        "sym_constrain_range_for_size",
    }
)
"""Assertions of a graph about its own sizes; left out, because the operations check them."""

SIZES: Mapping[str, Callable[..., Any]] = {
    "_operator.add": operator.add,
    "_operator.sub": operator.sub,
    "_operator.mul": operator.mul,
    "_operator.floordiv": operator.floordiv,
    "_operator.truediv": operator.truediv,
    "_operator.mod": operator.mod,
    "_operator.neg": operator.neg,
    "_operator.eq": operator.eq,
    "_operator.ne": operator.ne,
    "_operator.lt": operator.lt,
    "_operator.le": operator.le,
    "_operator.gt": operator.gt,
    "_operator.ge": operator.ge,
    "torch.sym_max": max,
    "torch.sym_min": min,
    "torch.sym_int": int,
    "torch.sym_float": float,
    "math.trunc": int,
}
"""Arithmetic of sizes, in a graph that takes images of any size."""


def operation(name: str, overload: str) -> Callable[..., Any] | None:
    """Return the operation `torch.ops.aten.<name>.<overload>`, or None if it may not be used or does not exist."""
    # The overloads of TorchScript do not check their arguments; view.dtype reads numbers as other numbers.
    if "out" in overload or overload.startswith("prim") or (name, overload) == ("view", "dtype"):
        return None
    if name not in CHECKED and name not in RESIZES and name.removesuffix("_") not in OPERATIONS:
        return None
    packet = getattr(torch.ops.aten, name, None)
    if packet is None or overload not in packet.overloads():
        return None
    if name in CHECKED:
        return CHECKED[name]
    if name in RESIZES:
        return _resize(getattr(packet, overload), overload)
    return _typed(getattr(packet, overload))


FORMATS: Mapping[str, type] = {
    "dtype": torch.dtype,
    "layout": torch.layout,
    "device": torch.device,
    "memory_format": torch.memory_format,
}
"""Arguments that PyTorch takes as numbers too, and does not check."""


def _typed(function: Any) -> Callable[..., Any]:
    """Return `function` with the types of its format arguments checked."""
    names = [each.name for each in function._schema.arguments]
    if FORMATS.keys().isdisjoint(names):
        return cast("Callable[..., Any]", function)

    def checked(*args: Any, **kwargs: Any) -> Any:
        for name, given in (*zip(names, args, strict=False), *kwargs.items()):
            fits = given is None or name not in FORMATS or isinstance(given, FORMATS[name])
            _require(fits, f"an argument {name} that is not one")
        return function(*args, **kwargs)

    return checked


def _require(holds: bool, fact: str) -> None:
    if not holds:
        raise RuntimeError(fact)


def _batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    *_: bool,
) -> Tensor:
    _require(x.dim() >= 2, "batch norm needs a batch and channels")
    _require(mean is not None and var is not None, "batch norm needs a mean and a variance")
    for each in (weight, bias, mean, var):
        _require(each is None or each.shape == x.shape[1:2], "batch norm needs one number for each channel")
    return F.batch_norm(x, mean, var, weight, bias, training, momentum, eps)


def _native_batch_norm(*args: Any) -> tuple[Tensor, Tensor, Tensor]:
    x: Tensor = args[0]
    return _batch_norm(*args), x.new_zeros(0), x.new_zeros(0)


def _batch_norm_no_training(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor,
    var: Tensor,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    return _native_batch_norm(x, weight, bias, mean, var, False, momentum, eps)


def _group_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, n: int, c: int, positions: int, groups: int, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    fits = x.dim() >= 2 and x.shape[:2] == (n, c) and math.prod(x.shape[2:]) == positions
    _require(fits, f"group norm of {tuple(x.shape)} with sizes {n}, {c}, {positions}")
    return F.group_norm(x, groups, weight, bias, eps), x.new_zeros(0), x.new_zeros(0)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    dropout: float = 0.0,
    causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    _require(query.dim() >= 2, "attention needs positions and features")
    fits = (
        query.shape[:-2] == key.shape[:-2] == value.shape[:-2]
        and query.shape[-1] == key.shape[-1]
        and key.shape[-2] == value.shape[-2]
    )
    _require(fits, "attention needs as many values as keys, and queries of the keys' size")
    _require(min(query.numel(), key.numel(), value.numel()) > 0, "attention needs positions")
    _require(dropout == 0 and not enable_gqa, "attention with dropout or grouped heads")
    if mask is not None:
        whole = (*query.shape[:-1], key.shape[-2])
        _require(
            torch.broadcast_shapes(mask.shape, whole) == torch.Size(whole), "attention with a mask that is too large"
        )
    return F.scaled_dot_product_attention(query, key, value, mask, 0.0, causal, scale=scale)


def _attention_cpu(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    dropout: float = 0.0,
    causal: bool = False,
    *,
    attn_mask: Tensor | None = None,
    scale: float | None = None,
) -> tuple[Tensor, Tensor]:
    return _attention(query, key, value, attn_mask, dropout, causal, scale=scale), query.new_zeros(0)


def _attention_efficient(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    compute_log_sumexp: bool,
    dropout: float = 0.0,
    causal: bool = False,
    *,
    scale: float | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    nothing = query.new_zeros(0)
    return _attention(query, key, value, bias, dropout, causal, scale=scale), nothing, nothing, nothing


def _attention_math(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    dropout: float = 0.0,
    causal: bool = False,
    dropout_mask: Tensor | None = None,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[Tensor, Tensor]:
    _require(dropout_mask is None, "attention with dropout")
    found = _attention(query, key, value, mask, dropout, causal, scale=scale, enable_gqa=enable_gqa)
    return found, query.new_zeros(0)


def _grid_sampler(x: Tensor, grid: Tensor, mode: int, padding: int, align_corners: bool) -> Tensor:
    _require(mode in (0, 1, 2) and padding in (0, 1, 2), f"grid sampling of kind {mode}, {padding}")
    _require(x.dim() == 4 and grid.dim() == 4, "grid sampling needs pictures")
    return torch.grid_sampler(x, grid, mode, padding, align_corners)


def _plain_softmax(x: Tensor, axis: int, _: bool) -> Tensor:
    return torch.softmax(x, axis)


def _plain_log_softmax(x: Tensor, axis: int, _: bool) -> Tensor:
    return torch.log_softmax(x, axis)


def _view(x: Tensor, size: Sequence[int]) -> Tensor:
    return x.view(*size)


CHECKED: Mapping[str, Callable[..., Any]] = {
    "batch_norm": _batch_norm,
    "native_batch_norm": _native_batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm_no_training,
    "native_group_norm": _group_norm,
    "scaled_dot_product_attention": _attention,
    "_scaled_dot_product_flash_attention_for_cpu": _attention_cpu,
    "_scaled_dot_product_efficient_attention": _attention_efficient,
    "_scaled_dot_product_attention_math": _attention_math,
    "grid_sampler": _grid_sampler,
    "grid_sampler_2d": _grid_sampler,
    "_softmax": _plain_softmax,
    "_log_softmax": _plain_log_softmax,
    "_unsafe_view": _view,
}
"""Functions that check their arguments, in place of operations of `torch.ops.aten` that do not."""

RESIZES = frozenset(
    {
        "upsample_nearest2d",
        "upsample_bilinear2d",
        "upsample_bicubic2d",
        "_upsample_nearest_exact2d",
        "_upsample_bilinear2d_aa",
        "_upsample_bicubic2d_aa",
    }
)
"""Operations that compute positions from factors that they do not check."""

LARGEST_FACTOR = 1024


def _resize(function: Callable[..., Any], overload: str) -> Callable[..., Any]:
    """Return a resize that refuses factors that do not lead from the input's size to the output's."""

    def checked(x: Tensor, size: Sequence[int] | None, *rest: Any) -> Any:
        _require(x.dim() == 4 and x.numel() > 0, "a resize needs pictures")
        factors = [each for each in rest if not isinstance(each, bool)]
        if overload == "vec":
            factors = list(factors[0] or ()) if factors else []
        for side, length in enumerate(x.shape[2:]):
            factor = factors[side] if side < len(factors) else None
            if factor is None:
                continue
            _require(1 / LARGEST_FACTOR <= factor <= LARGEST_FACTOR, f"a resize by {factor}")
            if size is not None:
                _require(math.floor(length * factor) == size[side], f"a resize of {length} by {factor} to {size[side]}")
        return function(x, size, *rest)

    return checked

"""What an exported program may use: operations that compute something from what they are given, and nothing
else.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

OPERATIONS = frozenset(
    # One group to a line or two reads better than one name.
    """
    conv1d conv2d conv3d convolution conv_transpose2d linear matmul mm bmm addmm baddbmm einsum dot mv outer
    relu relu6 hardtanh hardsigmoid hardswish sigmoid tanh gelu silu mish elu celu selu leaky_relu prelu
    softplus softsign log_sigmoid threshold glu softmax log_softmax _softmax _log_softmax clamp clamp_min
    clamp_max batch_norm _native_batch_norm_legit_no_training native_batch_norm instance_norm group_norm
    native_group_norm layer_norm native_layer_norm rms_norm local_response_norm max_pool2d
    max_pool2d_with_indices avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d
    _adaptive_avg_pool2d adaptive_max_pool2d add sub mul div rsub neg pow sqrt rsqrt square exp expm1 log
    log1p log2 abs sin cos sinh cosh tan atan atan2 reciprocal sign floor ceil round trunc frac erf maximum
    minimum max min fmax fmin addcmul addcdiv lerp where eq ne lt le gt ge logical_and logical_or
    logical_not bitwise_and bitwise_or bitwise_not isnan isinf mean sum prod amax amin var std var_mean
    std_mean norm linalg_vector_norm logsumexp cumsum argmax argmin topk cat concat stack split
    split_with_sizes chunk unbind hstack vstack tensor_split view reshape _unsafe_view flatten unflatten
    squeeze unsqueeze permute transpose t mT movedim swapaxes expand expand_as repeat repeat_interleave tile
    slice select narrow index index_select gather masked_fill flip roll rot90 pixel_shuffle pixel_unshuffle
    channel_shuffle unfold im2col col2im diagonal tril triu contiguous clone detach alias lift_fresh_copy to
    _to_copy type_as dropout native_dropout feature_dropout alpha_dropout pad constant_pad_nd
    reflection_pad2d replication_pad2d upsample_nearest2d upsample_bilinear2d upsample_bicubic2d
    _upsample_nearest_exact2d _upsample_bilinear2d_aa _upsample_bicubic2d_aa grid_sampler_2d grid_sampler
    affine_grid_generator embedding one_hot arange linspace full zeros ones empty full_like zeros_like
    ones_like empty_like new_zeros new_ones new_full new_empty scalar_tensor meshgrid
    scaled_dot_product_attention _scaled_dot_product_flash_attention_for_cpu
    _scaled_dot_product_efficient_attention _scaled_dot_product_attention_math
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
"""What a graph says of its own sizes; left out, for the operations complain themselves."""

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
"""Arithmetic of sizes, where a graph takes pictures of any."""

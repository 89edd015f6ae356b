"""Deterministic random weights: every parameter is a function of its name and the family's seed only."""

import math
import zlib

import torch

# Query and key entries get this standard deviation, so a logit q.k / sqrt(d) gets its square, 2.5.
# At that spread the softmax has a few clear winners and a wrong angle moves them.
QK_GAIN = math.sqrt(2.5)

QK_PROJECTIONS = ("q_proj", "k_proj", "q", "k")
QK_NORMS = ("q_norm", "k_norm", "query_layernorm", "key_layernorm")
FUSED = ("qkv", "qkv_proj")


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Fills all parameters in place."""
    for module_name, module in model.named_modules():
        for own_name, parameter in module.named_parameters(recurse=False):
            name = f"{module_name}.{own_name}"
            generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) ^ seed)
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
            with torch.no_grad():
                parameter.copy_(_values(module, module_name, own_name, noise))


def _values(module: torch.nn.Module, module_name: str, own_name: str, noise: torch.Tensor) -> torch.Tensor:
    stem = module_name.rpartition(".")[2]
    if "Norm" in type(module).__name__ and own_name == "weight":
        gain = (QK_GAIN if stem in QK_NORMS else 1.0) * (1 + 0.1 * noise)
        return gain - 1 if _is_centred(module) else gain
    if isinstance(module, torch.nn.Embedding):
        return noise
    if noise.ndim == 1:
        return 0.1 * noise
    weight = noise / math.sqrt(noise[0].numel())
    if stem in QK_PROJECTIONS:
        return QK_GAIN * weight
    if stem in FUSED:
        weight[: _query_and_key_rows(module_name, noise.shape[0])] *= QK_GAIN
    return weight


def _is_centred(norm: torch.nn.Module) -> bool:
    """True for norms that multiply by (1 + weight): their fresh weight is 0."""
    return getattr(norm, "_centred", False)


def mark_centred_norms(model: torch.nn.Module) -> None:
    """Call on the freshly initialised model, before `randomise`."""
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if "Norm" in type(module).__name__ and weight is not None and not weight.any():
            module._centred = True


def _query_and_key_rows(module_name: str, rows: int) -> int:
    # Fused rows are q, k, v: three equal parts in vision towers, 4 + 2 + 2 heads in the language models here.
    return rows * 2 // 3 if "vis" in module_name else rows * 6 // 8

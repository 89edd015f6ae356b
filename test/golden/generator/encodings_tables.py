"""Vectors of absolute encodings, `(tokens, dim)`, learned tables at other sizes, and the rotation operator of ONNX."""

import math

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx.reference import ReferenceEvaluator
from timm.layers.pos_embed import resample_abs_pos_embed
from timm.layers.pos_embed_sincos import build_sincos2d_pos_embed
from transformers import SamVisionConfig
from transformers.models.detr.modeling_detr import DetrSinePositionEmbedding
from transformers.models.sam.modeling_sam import SamPositionalEmbedding
from transformers.models.speecht5.modeling_speecht5 import SpeechT5ScaledPositionalEncoding
from transformers.models.whisper.modeling_whisper import sinusoids
from transformers.models.xlnet.modeling_xlnet import XLNetModel
from transformers.vision_utils import get_vision_interpolation_indices_and_weights


def case(name, scheme, options, source, **more):
    return {"name": name, "scheme": scheme, "options": options, "source": source, **more}


def cases():
    pe = SpeechT5ScaledPositionalEncoding(0.0, 24, 33).pe[0]
    yield (
        case(
            "interleaved",
            "sinusoidal",
            {"dim": 24, "order": "interleaved"},
            "transformers SpeechT5ScaledPositionalEncoding",
        ),
        {"vectors": pe},
    )
    yield (
        case("whisper", "sinusoidal", {"dim": 24, "order": "whisper"}, "transformers Whisper sinusoids"),
        {"vectors": sinusoids(33, 24)},
    )
    inv = 1 / torch.pow(10000, torch.arange(0, 24, 2.0) / 24)
    pe = XLNetModel.positional_embedding(torch.arange(33.0), inv)[:, 0]
    yield (
        case(
            "transformer-xl",
            "sinusoidal",
            {"dim": 24, "order": "transformer-xl"},
            "transformers XLNetModel.positional_embedding",
        ),
        {"vectors": pe},
    )
    for name, kwargs, options in [
        ("timm", {}, {"order": "timm"}),
        ("timm-interleaved", {"interleave_sin_cos": True}, {"order": "timm-interleaved"}),
    ]:
        pe = build_sincos2d_pos_embed([3, 5], 24, **kwargs)
        yield (
            case(
                name,
                "sinusoidalGrid",
                {"dim": 24, **options},
                "timm build_sincos2d_pos_embed",
                grid=[3, 5],
                coordinates="index",
            ),
            {"vectors": pe},
        )
    for name, normalize, rule in [
        ("detr", False, {"by": "index", "offset": 1}),
        ("detr-normed", True, {"by": "index", "offset": 1, "trained": [1, 1], "scale": 2 * math.pi}),
    ]:
        pe = DetrSinePositionEmbedding(12, normalize=normalize)((1, 1, 3, 5), "cpu", torch.float32)
        yield (
            case(
                name,
                "sinusoidalGrid",
                {"dim": 24, "order": "detr"},
                "transformers DetrSinePositionEmbedding",
                grid=[3, 5],
                coordinates=rule,
            ),
            {"vectors": pe[0].flatten(1).T},
        )
    torch.manual_seed(3)
    config = SamVisionConfig(num_pos_feats=12)
    config.scale = 1
    sam = SamPositionalEmbedding(config)
    y, x = torch.meshgrid((torch.arange(3) + 0.5) / 3, (torch.arange(5) + 0.5) / 5, indexing="ij")
    pe = sam(torch.stack([x, y], -1)).flatten(0, 1)
    yield (
        case(
            "sam",
            "randomFourier",
            {"matrix": "tensor"},
            "transformers SamPositionalEmbedding",
            grid=[3, 5],
            coordinates="part",
        ),
        {"vectors": pe, "matrix": sam.positional_embedding},
    )
    yield from resizes()
    yield from onnx_rotations()


def resizes():
    torch.manual_seed(4)
    table = torch.randn(12, 3)
    image = table.T.reshape(1, 3, 3, 4)
    for to in [[5, 7], [2, 3], [1, 1], [3, 4]]:
        name = f"{to[0]}x{to[1]}"
        for rule in [
            {"kernel": "bicubic", "alignCorners": False},
            {"kernel": "bilinear", "alignCorners": False},
            {"kernel": "bilinear", "alignCorners": True},
            {"kernel": "bicubic", "alignCorners": True},
            {"kernel": "bicubic", "alignCorners": False, "antialias": True},
            {"kernel": "bilinear", "alignCorners": False, "antialias": True},
        ]:
            made = F.interpolate(
                image,
                to,
                mode=rule["kernel"],
                align_corners=rule["alignCorners"],
                antialias=rule.get("antialias", False),
            )
            corners = "-corners" if rule["alignCorners"] else ""
            which = rule["kernel"] + corners + ("-antialias" if "antialias" in rule else "")
            yield (
                case(f"resize-{which}-{name}", "learned", {"grid": [3, 4], "rule": rule}, "torch F.interpolate", to=to),
                {"table": table, "vectors": made[0].flatten(1).T},
            )
    table = torch.randn(1, 2 + 9, 3)
    made = resample_abs_pos_embed(table, [2, 5], num_prefix_tokens=2)[0]
    yield (
        case(
            "resize-timm",
            "learned",
            {"grid": [3, 3], "prefix": 2, "rule": "timm"},
            "timm resample_abs_pos_embed",
            to=[2, 5],
        ),
        {"table": table[0], "vectors": made[2:]},
    )
    table = torch.randn(16, 3)
    for rule, mode, align, padding in [
        ("qwen3VL", "bilinear", True, "border"),
        ("glm4V", "bicubic", False, "border"),
        ({"kernel": "bicubic", "alignCorners": False, "outside": "zeros"}, "bicubic", False, "zeros"),
    ]:
        indices, weights = get_vision_interpolation_indices_and_weights(
            torch.tensor([[1, 6, 3]]), 4, mode, align, padding=padding
        )
        made = (table[indices] * weights[..., None]).sum(1)
        name = rule if isinstance(rule, str) else "zeros"
        yield (
            case(
                f"resize-{name}",
                "learned",
                {"grid": [4, 4], "rule": rule},
                "transformers get_vision_interpolation_indices_and_weights",
                to=[6, 3],
            ),
            {"table": table, "vectors": made},
        )


def onnx_rotations():
    """ONNX RotaryEmbedding takes any table as a 3-D cache without position ids."""
    generator = np.random.default_rng(5)
    for interleaved in [0, 1]:
        for rotary in [16, 8]:
            x = generator.standard_normal((1, 3, 7, 16)).astype(np.float32)
            angles = generator.uniform(-3, 3, (1, 7, rotary // 2)).astype(np.float32)
            node = onnx.helper.make_node(
                "RotaryEmbedding",
                ["x", "cos", "sin"],
                ["y"],
                interleaved=interleaved,
                rotary_embedding_dim=0 if rotary == 16 else rotary,
            )
            names = {"x": x.shape, "cos": angles.shape, "sin": angles.shape}
            info = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s) for n, s in names.items()]
            out = [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, x.shape)]
            graph = onnx.helper.make_graph([node], "g", info, out)
            model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 23)])
            (y,) = ReferenceEvaluator(model).run(None, {"x": x, "cos": np.cos(angles), "sin": np.sin(angles)})
            yield (
                case(
                    f"onnx-{'adjacent' if interleaved else 'half-split'}-{rotary}",
                    "rotate",
                    {"pairing": "adjacent" if interleaved else "half-split"},
                    "onnx ReferenceEvaluator RotaryEmbedding, opset 23",
                ),
                {
                    "x": x[0].transpose(1, 0, 2),
                    "cos": np.cos(angles),
                    "sin": np.sin(angles),
                    "vectors": y[0].transpose(1, 0, 2),
                },
            )

"""Cosines and sines of encodings of grids, one number for each pair: `(tokens, pairs)` or `(heads, tokens, pairs)`."""

import torch
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from diffusers.models.transformers import (
    transformer_cosmos,
    transformer_flux,
    transformer_flux2,
    transformer_hunyuan_video,
    transformer_hunyuan_video_framepack,
    transformer_ideogram4,
    transformer_ltx,
    transformer_ltx2,
    transformer_lumina2,
    transformer_mochi,
    transformer_qwenimage,
    transformer_wan,
    transformer_z_image,
)
from rotary_embedding_torch import RotaryEmbedding
from timm.layers.pos_embed_sincos import (
    RotaryEmbeddingCat,
    RotaryEmbeddingDinoV3,
    RotaryEmbeddingMixed,
    RotaryEmbeddingMRope,
)
from transformers import Sam2VideoConfig
from transformers.models.dinov3_vit.modeling_dinov3_vit import DINOv3ViTConfig, DINOv3ViTRopePositionEmbedding
from transformers.models.sam2_video import modeling_sam2_video as sam2


def adjacent(x):
    return x[..., ::2]


def half(x):
    return x[..., : x.shape[-1] // 2]


def polar(x):
    return {"cos": x.real, "sin": x.imag}


def case(name, scheme, options, source, grids, text=0):
    """`text` tokens in front of the grids."""
    return {"name": name, "scheme": scheme, "options": options, "source": source, "grids": grids, "text": text}


def video(t, h, w):
    return torch.zeros(1, 1, t, h, w)


def cases():
    yield from towers()
    yield from pictures()
    yield from videos()


def towers():
    for name, kwargs, options, grid in [
        ("timm-eva", {"in_pixels": False}, {}, [3, 5]),
        ("timm-eva-resized", {"in_pixels": False, "ref_feat_shape": [16, 14]}, {"trained": [16, 14]}, [4, 7]),
        (
            "timm-xy-offset",
            {"in_pixels": False, "grid_indexing": "xy", "grid_offset": 1.0},
            {"indexing": "xy", "offset": 1},
            [3, 5],
        ),
        ("timm-pixels", {"in_pixels": True}, {"inPixels": True}, [3, 5]),
        (
            "timm-pixels-linear",
            {"in_pixels": True, "linear_bands": True, "max_res": 64},
            {"inPixels": True, "linearBands": True, "maxRes": 64},
            [5, 2],
        ),
    ]:
        # The embed mode: with cached bands the linear and the logarithmic bands are the same code.
        sin, cos = RotaryEmbeddingCat(32, feat_shape=grid, **kwargs).get_embed().chunk(2, -1)
        yield (
            case(name, "timm", {"headDim": 32, **options}, "timm RotaryEmbeddingCat", [[1, *grid]]),
            {"cos": adjacent(cos), "sin": adjacent(sin)},
        )
    angles = RotaryEmbedding(dim=16, freqs_for="pixel", max_freq=64).get_axial_freqs(5, 2).flatten(0, 1)
    yield (
        case(
            "rotary-embedding-torch-pixel",
            "timm",
            {"headDim": 32, "inPixels": True, "linearBands": True, "maxRes": 64},
            "rotary-embedding-torch RotaryEmbedding get_axial_freqs",
            [[1, 5, 2]],
        ),
        {"cos": adjacent(angles.cos()), "sin": adjacent(angles.sin())},
    )
    for indexing in ["ij", "xy"]:
        torch.manual_seed(1)
        module = RotaryEmbeddingMixed(48, depth=2, num_heads=3, temperature=10.0, grid_indexing=indexing)
        sin, cos = module.get_embed([3, 5])[1].chunk(2, -1)
        yield (
            case(
                f"timm-mixed-{indexing}",
                "ropeVitMixed",
                {"heads": 3, "layer": 1, "indexing": indexing, "freqs": "tensor"},
                "timm RotaryEmbeddingMixed",
                [[1, 3, 5]],
            ),
            {"cos": adjacent(cos), "sin": adjacent(sin), "freqs": module.freqs},
        )
    for name, kwargs, options in [
        ("separate", {}, {}),
        ("max", {"normalize_coords": "max"}, {"coordinates": "max"}),
        ("min", {"normalize_coords": "min"}, {"coordinates": "min"}),
        ("periods", {"min_period": 0.5, "max_period": 90.0, "temperature": 7.0}, {"periods": [0.5, 90]}),
        ("adjacent", {"rotate_half": False}, {"pairing": "adjacent"}),
    ]:
        sin, cos = RotaryEmbeddingDinoV3(64, **kwargs).get_embed([2, 3]).chunk(2, -1)
        pick = adjacent if name == "adjacent" else half
        yield (
            case(f"dinov3-{name}", "dinov3", {"headDim": 64, **options}, "timm RotaryEmbeddingDinoV3", [[1, 2, 3]]),
            {"cos": pick(cos), "sin": pick(sin)},
        )
    config = DINOv3ViTConfig(hidden_size=144, num_attention_heads=2, patch_size=4, image_size=16)
    cos, sin = DINOv3ViTRopePositionEmbedding(config).eval()(torch.zeros(1, 3, 20, 12))
    yield (
        case(
            "dinov3-transformers", "dinov3", {"headDim": 72}, "transformers DINOv3ViTRopePositionEmbedding", [[1, 5, 3]]
        ),
        {"cos": half(cos), "sin": half(sin)},
    )
    config = Sam2VideoConfig(memory_attention_rope_feat_sizes=[5, 3])
    rope = sam2.Sam2VideoVisionRotaryEmbedding(config)
    cos, sin = rope(torch.zeros(1), sam2.Sam2VideoMemoryAttention.precompute_positions(config))
    yield (
        case("sam2", "sam2", {"headDim": 256}, "transformers Sam2VideoVisionRotaryEmbedding", [[1, 3, 5]]),
        {"cos": adjacent(cos[0]), "sin": adjacent(sin[0])},
    )
    for dim in [72, 64]:
        sin, cos = RotaryEmbeddingMRope(dim).get_embed([3, 5]).chunk(2, -1)
        yield (
            case(f"genlip-{dim}", "genlip", {"headDim": dim}, "timm RotaryEmbeddingMRope", [[1, 3, 5]]),
            {"cos": half(cos), "sin": half(sin)},
        )


def pictures():
    def grid_ids(t, h, w, *rest):
        return torch.tensor([[t, r, c, *rest] for r in range(h) for c in range(w)])

    ids = torch.cat([torch.zeros(2, 3), grid_ids(0, 2, 3)])
    cos, sin = transformer_flux.FluxPosEmbed(10000, [16, 56, 56])(ids)
    yield (
        case("flux", "flux", {}, "diffusers FluxPosEmbed", [[1, 2, 3]], text=2),
        {"cos": adjacent(cos), "sin": adjacent(sin)},
    )
    from diffusers.pipelines.flux2.pipeline_flux2 import Flux2Pipeline

    text = Flux2Pipeline._prepare_text_ids(torch.zeros(1, 3, 8))[0]
    latent = Flux2Pipeline._prepare_latent_ids(torch.zeros(1, 8, 2, 3))[0]
    reference = Flux2Pipeline._prepare_image_ids([torch.zeros(1, 8, 3, 2), torch.zeros(1, 8, 1, 2)])[0]
    cos, sin = transformer_flux2.Flux2PosEmbed(2000, [32, 32, 32, 32])(torch.cat([text, latent, reference]))
    yield (
        case(
            "flux2",
            "flux2",
            {},
            "diffusers Flux2PosEmbed with the ids of Flux2Pipeline",
            [[1, 2, 3], [1, 3, 2], [1, 1, 2]],
            text=3,
        ),
        {"cos": adjacent(cos), "sin": adjacent(sin)},
    )
    rope = transformer_qwenimage.QwenEmbedRope(theta=10000, axes_dim=[16, 56, 56], scale_rope=True)
    grids = [(1, 3, 5), (1, 2, 2)]
    image, text = rope([grids], torch.device("cpu"), max_txt_seq_len=3)
    yield (
        case("qwen-image", "qwenImage", {}, "diffusers QwenEmbedRope, scale_rope", grids, text=3),
        polar(torch.cat([text, image])),
    )
    rope = transformer_qwenimage.QwenEmbedRope(theta=10000, axes_dim=[16, 56, 56], scale_rope=False)
    image, text = rope([[(2, 3, 5)]], torch.device("cpu"), max_txt_seq_len=3)
    yield (
        case("qwen-image-plain", "qwenImage", {"centred": False}, "diffusers QwenEmbedRope", [[2, 3, 5]], text=3),
        polar(torch.cat([text, image])),
    )
    rope = transformer_lumina2.Lumina2RotaryPosEmbed(10000, [32, 32, 32], patch_size=2)
    whole = rope(torch.zeros(1, 4, 6, 10), torch.ones(1, 4, dtype=torch.long))[3][0]
    yield case("lumina2", "lumina2", {}, "diffusers Lumina2RotaryPosEmbed", [[1, 3, 5]], text=4), polar(whole)
    rope = transformer_z_image.RopeEmbedder(256.0, [32, 48, 48], [128, 64, 64])
    ids = torch.cat([torch.tensor([[1 + i, 0, 0] for i in range(5)]), grid_ids(33, 3, 5)])
    yield (
        case(
            "z-image",
            "zImage",
            {},
            "diffusers RopeEmbedder of Z-Image, ids of its patchify_and_embed",
            [[1, 3, 5]],
            text=5,
        ),
        polar(rope(ids)),
    )
    rope = transformer_ideogram4.Ideogram4MRoPE(128, 5000000, (24, 20, 20))
    ids = torch.cat([torch.tensor([[i, i, i] for i in range(3)]), 65536 + grid_ids(0, 3, 5)])
    cos, sin = rope(ids[None])
    yield (
        case("ideogram4", "ideogram4", {}, "diffusers Ideogram4MRoPE", [[1, 3, 5]], text=3),
        {"cos": half(cos[0]), "sin": half(sin[0])},
    )


def videos():
    for dim in [128, 80]:
        cos, sin = transformer_wan.WanRotaryPosEmbed(dim, (1, 2, 2), 64)(video(4, 6, 4))
        yield (
            case(f"wan-{dim}", "wan", {"headDim": dim}, "diffusers WanRotaryPosEmbed", [[4, 3, 2]]),
            {"cos": adjacent(cos[0, :, 0]), "sin": adjacent(sin[0, :, 0])},
        )
    cos, sin = transformer_hunyuan_video.HunyuanVideoRotaryPosEmbed(2, 1, [16, 56, 56])(video(4, 6, 4))
    yield (
        case("hunyuan-video", "hunyuanVideo", {}, "diffusers HunyuanVideoRotaryPosEmbed", [[4, 3, 2]]),
        {"cos": adjacent(cos), "sin": adjacent(sin)},
    )
    rope = transformer_hunyuan_video_framepack.HunyuanVideoFramepackRotaryPosEmbed(2, 1, [16, 56, 56])
    cos, sin = rope(torch.tensor([0, 7, 9]), 6, 4, torch.device("cpu"))
    yield (
        case(
            "frame-pack",
            "framePack",
            {"frameIndices": [0, 7, 9]},
            "diffusers HunyuanVideoFramepackRotaryPosEmbed",
            [[3, 3, 2]],
        ),
        {"cos": adjacent(cos), "sin": adjacent(sin)},
    )
    rope = transformer_cosmos.CosmosRotaryPosEmbed(128)
    for name, fps, options in [("image", None, {}), ("video", 30, {"fps": 30})]:
        cos, sin = rope(video(4, 6, 4), fps=fps)
        yield (
            case(f"cosmos-{name}", "cosmos", options, "diffusers CosmosRotaryPosEmbed", [[4, 3, 2]]),
            {"cos": half(cos), "sin": half(sin)},
        )
    for name, crop, options in [
        ("whole", ((0, 0), (3, 5)), {}),
        ("crop", ((4, 0), (26, 45)), {"crop": [[4, 0], [26, 45]]}),
    ]:
        cos, sin = get_3d_rotary_pos_embed(64, crop, (3, 5), 4)
        yield (
            case(f"cogvideox-{name}", "cogVideoX", options, "diffusers get_3d_rotary_pos_embed", [[4, 3, 5]]),
            {"cos": adjacent(cos), "sin": adjacent(sin)},
        )
    for dim in [96, 100]:
        rope = transformer_ltx.LTXVideoRotaryPosEmbed(dim)
        cos, sin = rope(torch.zeros(1, 1, 1), 4, 3, 5, rope_interpolation_scale=(8 / 25, 32, 32))
        yield (
            case(
                f"ltx-{dim}",
                "ltx",
                {"dim": dim, "steps": [8 / 25, 32, 32]},
                "diffusers LTXVideoRotaryPosEmbed",
                [[4, 3, 5]],
            ),
            {"cos": adjacent(cos[0]), "sin": adjacent(sin[0])},
        )
    for mode in ["split", "interleaved"]:
        rope = transformer_ltx2.LTX2AudioVideoRotaryPosEmbed(64, rope_type=mode, num_attention_heads=4)
        cos, sin = rope(rope.prepare_video_coords(1, 4, 3, 5, torch.device("cpu"), fps=25.0))
        pick = (lambda x: x) if mode == "split" else adjacent
        yield (
            case(
                f"ltx2-{mode}",
                "ltx2",
                {"dim": 64, "heads": 4, "fps": 25, "mode": mode},
                "diffusers LTX2AudioVideoRotaryPosEmbed",
                [[4, 3, 5]],
            ),
            {"cos": pick(cos[0]), "sin": pick(sin[0])},
        )
    torch.manual_seed(2)
    frequencies = torch.randn(3, 3, 8) * 0.3
    cos, sin = transformer_mochi.MochiRoPE()(frequencies, 3, 2, 5, dtype=torch.float32)
    yield (
        case("mochi", "mochi", {"frequencies": "tensor"}, "diffusers MochiRoPE", [[3, 2, 5]]),
        {"cos": cos.transpose(0, 1), "sin": sin.transpose(0, 1), "frequencies": frequencies},
    )

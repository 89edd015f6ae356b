"""Qwen2-VL, Qwen2.5-VL (also with YaRN), Qwen3-VL and Qwen3.5."""

from transformers import Qwen2_5_VLConfig, Qwen2VLConfig, Qwen3_5Config, Qwen3VLConfig

from .base import (
    HEADS, MARKERS, VISION_72, VISION_80, Case, Family, TimestampVideo, standard_cases, v4_standard_cases,
)

# Every family takes its real token ids and vocabulary, but Qwen2.5-VL with YaRN: there they are small, so that
# a reader that has the published ids built in fails.
SMALL_MARKERS = {"vision_start_token_id": 1501, "vision_end_token_id": 1502, "image_token_id": 1507,
                 "video_token_id": 1504}

IMAGE_VIDEO = Case("image_video", [
    [("text", 2), ("image", (1, 6, 2)), ("text", 2), ("video", (4, 4, 6)), ("text", 2)],
], ("lm",))
# Two pictures: attention must stay inside each.
IMAGE = Case("image", [
    [("text", 4), ("image", (1, 4, 4)), ("text", 3), ("image", (1, 2, 6)), ("text", 2)],
], ("vision",))
SMALL_IMAGE = Case("image", [[("text", 2), ("image", (1, 2, 8)), ("text", 3)]], ("vision",))


def qwen2_vl() -> Family:
    config = Qwen2VLConfig(
        text_config=dict(
            **HEADS, vocab_size=152064, hidden_size=512, max_position_embeddings=32768, bos_token_id=None,
            eos_token_id=None,
            rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
        ),
        vision_config=dict(**VISION_80, embed_dim=160, hidden_size=512, mlp_ratio=1),
        **MARKERS,
    )
    large = Case("ids_large_image", [[("text", 7), ("image", (1, 46, 26)), ("text", 9)]])
    cases = [IMAGE_VIDEO, IMAGE, *standard_cases(), large]
    return Family("qwen2_vl", "Qwen2VLForConditionalGeneration", config, cases, v4_cases=v4_standard_cases())


def qwen2_5_vl_config(markers: dict, vocab_size: int, rope: dict, max_positions: int) -> Qwen2_5_VLConfig:
    return Qwen2_5_VLConfig(
        text_config=dict(
            **HEADS, vocab_size=vocab_size, hidden_size=512, max_position_embeddings=max_positions, bos_token_id=None,
            eos_token_id=None, rope_parameters={"rope_theta": 1e6, "mrope_section": [16, 24, 24]} | rope,
        ),
        vision_config=dict(
            **VISION_80, hidden_size=160, intermediate_size=96, out_hidden_size=512, window_size=112,
            tokens_per_second=2, fullatt_block_indexes=[1],
        ),
        **markers,
    )


def qwen2_5_vl() -> Family:
    config = qwen2_5_vl_config(MARKERS, 152064, {"rope_type": "default"}, 128000)
    video = Case("image_video", [
        [("text", 2), ("image", (1, 6, 4)), ("text", 2), ("video", (3, 2, 8), 1.5), ("text", 2)],
    ], ("lm",))
    # 5 x 2 and 1 x 2 merged cells: windows of 4 x 2, 1 x 2 and 1 x 2 cells.
    image = Case("image", [
        [("text", 1), ("image", (1, 10, 4)), ("text", 2), ("image", (1, 2, 4)), ("text", 2)],
    ], ("vision",))
    seconds = [
        Case(f"ids_seconds_{value}", [[("text", 3), ("video", (frames, 2, 4), value), ("text", 6)]],
             notes=("Time is frame * (tokens_per_second * seconds) in float32, then truncated; float64 gives another "
                    "id for frame 25 of 2.3.",))
        for value, frames in ((0.5, 6), (0.7, 14), (1.0, 6), (2.3, 28), (2.5, 4))
    ]
    v4_seconds = [
        Case(f"v4_seconds_{value}", [[("text", 3), ("video", (5, 2, 4), value), ("text", 6)]]) for value in (0.5, 1.5)
    ]
    return Family(
        "qwen2_5_vl", "Qwen2_5_VLForConditionalGeneration", config,
        [video, image, *standard_cases((0.5, 2.0)), *seconds], has_seconds=True,
        vision_full_layer=1, vision_window_layer=0, v4_cases=[*v4_standard_cases((1.0, 2.0)), *v4_seconds],
    )


def qwen2_5_vl_yarn() -> Family:
    rope = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
    config = qwen2_5_vl_config(SMALL_MARKERS, 2048, rope, 131072)
    video = Case("image_video", [
        [("text", 2), ("image", (1, 2, 8)), ("text", 2), ("video", (3, 2, 8), 3.0), ("text", 2)],
    ], ("lm",))
    return Family(
        "qwen2_5_vl_yarn", "Qwen2_5_VLForConditionalGeneration", config,
        [video, *standard_cases((1.0,))[:2]], package="qwen2_5_vl", has_seconds=True, text_range=(3, 1400),
        notes=("Token ids differ from the published checkpoints on purpose; they are those of config.json.",),
    )


FRAMES = Case("image_video", [
    [("text", 2), ("image", (1, 8, 2)), ("text", 1), ("video", (2, 4, 6)), ("text", 2)],
], ("lm",))


def qwen3_vl() -> Family:
    rope = {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [24, 20, 20], "mrope_interleaved": True}
    config = Qwen3VLConfig(
        text_config=dict(
            **HEADS, vocab_size=151936, hidden_size=256, head_dim=128, max_position_embeddings=262144,
            rope_parameters=rope, pad_token_id=None,
        ),
        vision_config=dict(**VISION_72, out_hidden_size=256, deepstack_visual_indexes=[0]),
        **MARKERS,
    )
    return TimestampVideo(
        "qwen3_vl", "Qwen3VLForConditionalGeneration", config, [FRAMES, IMAGE, *standard_cases()],
        mrope_section=(24, 20, 20), allocation="interleaved", notes=("q and k are captured after q_norm / k_norm.",),
        v4_cases=v4_standard_cases(),
    )


def qwen3_5() -> Family:
    rope = {"rope_type": "default", "rope_theta": 1e7, "mrope_section": [11, 11, 10], "mrope_interleaved": True,
            "partial_rotary_factor": 0.25}
    config = Qwen3_5Config(
        text_config=dict(
            **HEADS, vocab_size=248320, hidden_size=256, head_dim=256, max_position_embeddings=262144,
            rope_parameters=rope, layer_types=["linear_attention", "full_attention"], linear_key_head_dim=32,
            linear_value_head_dim=32, linear_num_key_heads=2, linear_num_value_heads=2,
        ),
        vision_config=dict(**VISION_72, out_hidden_size=256),
    )
    # Head dim 256 doubles the size of a token, so this prompt is short.
    video = Case("image_video", [
        [("text", 1), ("image", (1, 6, 2)), ("text", 1), ("video", (2, 2, 6)), ("text", 2)],
    ], ("lm",))
    return TimestampVideo(
        "qwen3_5", "Qwen3_5ForConditionalGeneration", config, [video, SMALL_IMAGE, *standard_cases()],
        mrope_section=(11, 11, 10), allocation="interleaved",
        notes=("q and k are captured after q_norm / k_norm; rotary on the first 64 of 256 channels.",
               "out is the attention output before the sigmoid output gate and o_proj."),
    )


QWEN_FAMILIES = [qwen2_vl, qwen2_5_vl, qwen2_5_vl_yarn, qwen3_vl, qwen3_5]

"""Ernie 4.5 VL, PaddleOCR-VL, Cohere Compass and HunYuan-VL."""

import torch
from transformers import CohereCompassConfig, Ernie4_5_VLMoeConfig, HunYuanVLConfig, PaddleOCRVLConfig

from prompts import IMAGE, VIDEO, Row

from .base import HEADS, VISION_72, Case, Family, TimestampVideo, standard_cases


class Ernie(Family):
    """Own markers for images and videos; the video grid counts raw frames, two of which make one token row."""

    def image(self, row: Row, grid) -> None:
        row.put(self.config.image_start_token_id)
        row.put(self.config.image_token_id, kind=IMAGE, times=self.cells(grid))
        row.put(self.config.image_end_token_id)
        row.images.append(list(grid))

    def video(self, row: Row, grid, _seconds: float | None = None) -> None:
        frames, height, width = grid
        frames *= self.config.vision_config.temporal_merge_size
        row.put(self.config.video_start_token_id)
        row.put(self.config.video_token_id, kind=VIDEO, times=self.cells(grid))
        row.put(self.config.video_end_token_id)
        row.videos.append([frames, height, width])

    def pixels(self, grids, generator):
        vision = self.config.vision_config
        patches = sum(t * h * w for t, h, w in grids)
        return torch.randn(patches, vision.in_channels * vision.patch_size**2, generator=generator)

    vision_rotary = "model.vision_tower.rotary_pos_emb"

    def vision_layer(self, index: int) -> str:
        return f"model.vision_tower.blocks.{index}.attn"


def ernie4_5_vl_moe() -> Family:
    config = Ernie4_5_VLMoeConfig(
        text_config=dict(
            **HEADS, vocab_size=103424, hidden_size=512,
            rope_parameters={"rope_type": "default", "rope_theta": 5e5, "mrope_section": [22, 22, 20]},
            moe_intermediate_size=[32, 32], moe_k=2, moe_num_experts=4, moe_num_shared_experts=1,
            mlp_layer_types=["dense", "sparse"],
        ),
        vision_config=dict(depth=2, hidden_size=160, num_heads=2, intermediate_size=96),
    )
    video = Case("image_video", [
        [("text", 1), ("image", (1, 8, 2)), ("text", 2), ("video", (3, 2, 8)), ("text", 2)],
    ], ("lm",))
    image = Case("image", [[("text", 3), ("image", (1, 8, 2)), ("text", 2)]], ("vision",))
    return Ernie(
        "ernie4_5_vl_moe", "Ernie4_5_VLMoeForConditionalGeneration", config, [video, image, *standard_cases()],
        mrope_section=(22, 22, 20), allocation="ernie", pairing="adjacent",
        notes=("mrope_section is (h, w, t).",
               "expected.inv_freq is the model's buffer, which is pre-permuted: even frequencies, odd frequencies, "
               "tail.",
               "video_grid_thw counts raw frames; temporal_merge_size frames make one row of tokens."),
    )


class Paddle(Family):
    vision_rotary = "model.visual.vision_model.encoder.rotary_pos_emb"

    def vision_layer(self, index: int) -> str:
        return f"model.visual.vision_model.encoder.layers.{index}.self_attn"

    def pixels(self, grids, generator):
        vision = self.config.vision_config
        patches = sum(t * h * w for t, h, w in grids)
        return torch.randn(patches, vision.num_channels, vision.patch_size, vision.patch_size, generator=generator)


def paddleocr_vl() -> Family:
    config = PaddleOCRVLConfig(
        text_config=dict(
            **HEADS, vocab_size=103424, hidden_size=256, head_dim=128, pad_token_id=0, bos_token_id=None,
            eos_token_id=None,
            rope_parameters={"rope_type": "default", "rope_theta": 5e5, "mrope_section": [16, 24, 24]},
        ),
        vision_config=dict(hidden_size=144, num_hidden_layers=2, num_attention_heads=2, intermediate_size=96),
    )
    two = Case("two_images", [
        [("text", 2), ("image", (1, 4, 10)), ("text", 1), ("image", (1, 8, 2)), ("text", 2)],
    ], ("lm",))
    image = Case("image", [[("text", 3), ("image", (1, 4, 6)), ("text", 2)]], ("vision",))
    video = Case("ids_image_video", [
        [("text", 2), ("image", (1, 4, 8)), ("text", 3), ("video", (5, 6, 4)), ("text", 2)],
    ], (), ("This model class has no video input in 5.18.",), by_rule=True)
    with_video = ("batch_video_and_text", "ids_two_videos")
    cases = [case for case in standard_cases() if case.name not in with_video]
    return Paddle(
        "paddleocr_vl", "PaddleOCRVLForConditionalGeneration", config, [two, image, *cases, video],
        notes=("Vision patches are in plain raster order (merge size 1 inside the encoder), not in 2x2 merge blocks.",),
    )


class Compass(TimestampVideo):
    """The first layer has no rotation at all, the second has."""

    layer_type = "sliding_attention"

    def inv_freq(self, rotary):
        return getattr(rotary, f"{self.layer_type}_inv_freq")

    def attention_factor(self, rotary):
        return getattr(rotary, f"{self.layer_type}_attention_scaling")

    @property
    def rotary_dim(self) -> int:
        return self.head_dim


def cohere_compass() -> Family:
    rope = {"rope_type": "default", "rope_theta": 5e4, "mrope_section": [22, 22, 20]}
    config = CohereCompassConfig(
        text_config=dict(
            **HEADS, vocab_size=256000, hidden_size=512, pad_token_id=0, bos_token_id=None, eos_token_id=None,
            layer_types=["full_attention", "sliding_attention"],
            rope_parameters={"full_attention": None, "sliding_attention": rope},
        ),
        vision_config=dict(**VISION_72, out_hidden_size=512, deepstack_visual_indexes=[0]),
    )
    two = Case("two_images", [
        [("text", 1), ("image", (1, 4, 8)), ("text", 2), ("image", (1, 6, 4)), ("text", 2)],
    ], ("lm",))
    refused = ("generate() of this model class raises for videos in 5.18 (its input_modalities lack them).",)
    video = Case("ids_image_video", [
        [("text", 2), ("image", (1, 6, 2)), ("text", 2), ("video", (3, 4, 6)), ("text", 3)],
    ], (), refused, by_rule=True)
    return Compass(
        "cohere_compass", "CohereCompassForConditionalGeneration", config, [two, standard_cases()[0], video],
        mrope_section=(22, 22, 20), allocation="compass",
        notes=("mrope_section is (h, w, t). Pairs 0..21 are h, 22..43 w, 44..63 t.",
               "expected.inv_freq is the model's buffer in the order of the pairs: even frequencies, odd frequencies, "
               "tail.",
               "rope_parameters are per layer type; layer 0 (full_attention) has none. The window of layer 1 is wider "
               "than the prompt. rope_theta 50000 is not taken from a checkpoint."),
    )


class HunYuan(Family):
    """A span has a begin token, rows with one newline token each, and an end token: all are image tokens."""

    def image(self, row: Row, grid) -> None:
        merge = self.config.vision_config.spatial_merge_size
        height, width = grid[1] // merge, grid[2] // merge
        row.put(self.config.im_start_id)
        row.put(self.config.image_token_id, kind=IMAGE, times=height * (width + 1) + 2)
        row.put(self.config.im_end_id)
        row.images.append(list(grid))

    def pixels(self, grids, generator):
        vision = self.config.vision_config
        patches = sum(t * h * w for t, h, w in grids)
        return torch.randn(patches, vision.num_channels * vision.patch_size**2, generator=generator)


def hunyuan_vl() -> Family:
    rope = {"rope_type": "dynamic", "rope_theta": 1e4, "alpha": 1000.0, "beta_fast": 32, "beta_slow": 1, "factor": 1.0,
            "mscale": 1.0, "mscale_all_dim": 1.0, "mrope_section": [16, 16, 16, 16]}
    config = HunYuanVLConfig(
        text_config=dict(
            **HEADS, vocab_size=120818, hidden_size=256, head_dim=128, max_position_embeddings=32768, pad_token_id=0,
            bos_token_id=None, eos_token_id=None, rope_parameters=rope,
        ),
        vision_config=dict(hidden_size=64, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
                           max_image_size=512, out_hidden_size=256),
    )
    two = Case("two_images", [
        [("text", 2), ("image", (1, 4, 4)), ("text", 1), ("image", (1, 4, 6)), ("text", 2)],
    ], ("lm",), differs="transformers 5.18 turns the two channels of a pair of HunYuan-VL image tokens by different "
                        "angles, which is not a rotation; mrope follows the model's authors and vLLM.")
    batch = Case("batch", [
        [("text", 3), ("image", (1, 6, 4)), ("text", 2), ("image", (1, 4, 10)), ("text", 4)],
        [("text", 5), ("image", (1, 4, 4)), ("text", 1)],
    ], differs="transformers 5.18 counts the images of HunYuan-VL on from row to row of a batch; mrope counts them in "
               "each row, so that a row does not depend on its neighbours.")
    ends = Case("ids_ends_with_image", [[("text", 4), ("image", (1, 4, 12))]])
    return HunYuan(
        "hunyuan_vl", "HunYuanVLForConditionalGeneration", config, [two, batch, ends],
        mrope_section=(16, 16, 16, 16), allocation="xdrope-5.18",
        notes=("Four axes: position, width, height, image index.",
               "transformers 5.18 doubles every section and splits the doubled vector: channels 0..31 position, 32..63 "
               "width, 64..95 height, 96..127 image index. The two channels of a pair then have different angles, "
               "which is not a rotation where the axes differ (image tokens). The model's authors and vLLM double the "
               "list instead: pairs 0..15 position, 16..31 width, 32..47 height, 48..63 image index. cos, sin, q_rot "
               "and k_rot hold what 5.18 computes.",
               "The norm of q and k comes after the rotation: attention reads lm.q_attend and lm.k_attend."),
    )


OTHER_FAMILIES = [ernie4_5_vl_moe, paddleocr_vl, cohere_compass, hunyuan_vl]

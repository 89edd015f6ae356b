"""GLM-4.1V, GLM-4.5V, GLM-OCR and GLM-Image."""

import torch
from transformers import Glm4vConfig, Glm4vMoeConfig, GlmImageConfig, GlmOcrConfig

from prompts import IMAGE, VIDEO, Row

from .base import HEADS, Case, Family, standard_cases, v4_standard_cases

VISION = {"depth": 2, "num_heads": 2, "out_hidden_size": 512, "intermediate_size": 96}
CHUNKED_64 = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [8, 12, 12], "partial_rotary_factor": 0.5}
VIDEO_CASE = Case("video", [[("text", 2), ("video", (2, 6, 4)), ("text", 3)]], ("lm",))
IMAGE_CASE = Case("image", [[("text", 4), ("image", (1, 4, 6)), ("text", 2)]], ("vision",))
# 5.18 counts image tokens for both kinds and raises when a prompt has an image and a video.
BOTH = Case("ids_image_video", [
    [("text", 3), ("image", (1, 6, 10)), ("text", 2), ("video", (3, 8, 4)), ("text", 4)],
], by_rule=True)


class Glm(Family):
    """Frames of a video are image tokens, each frame between image markers, all between video markers."""

    def image(self, row: Row, grid) -> None:
        self.frame(row, grid, IMAGE)
        row.images.append(list(grid))

    def video(self, row: Row, grid, _seconds: float | None = None) -> None:
        frames, height, width = grid
        row.put(self.config.video_start_token_id)
        for _ in range(frames):
            self.frame(row, (1, height, width), VIDEO)
            row.text(2)
        row.put(self.config.video_end_token_id)
        row.videos.append(list(grid))

    def frame(self, row: Row, grid, kind: int) -> None:
        row.put(self.config.image_start_token_id)
        row.put(self.config.image_token_id, kind=kind, times=self.cells(grid))
        row.put(self.config.image_end_token_id)


def glm4v() -> Family:
    config = Glm4vConfig(
        text_config=dict(**HEADS, vocab_size=151552, hidden_size=512, rope_parameters=CHUNKED_64),
        vision_config=dict(**VISION, hidden_size=256),
    )
    return Glm(
        "glm4v", "Glm4vForConditionalGeneration", config, [VIDEO_CASE, IMAGE_CASE, *standard_cases(), BOTH],
        mrope_section=(8, 12, 12), pairing="adjacent", v4_cases=v4_standard_cases(),
    )


def glm4v_moe() -> Family:
    config = Glm4vMoeConfig(
        text_config=dict(
            **HEADS, vocab_size=151552, hidden_size=256, head_dim=128, rope_parameters=CHUNKED_64,
            moe_intermediate_size=32, num_experts_per_tok=2, n_routed_experts=4, first_k_dense_replace=1,
        ),
        vision_config=dict(**VISION | {"out_hidden_size": 256}, hidden_size=256),
    )
    return Glm(
        "glm4v_moe", "Glm4vMoeForConditionalGeneration", config, [VIDEO_CASE, *standard_cases(), BOTH],
        mrope_section=(8, 12, 12), v4_cases=v4_standard_cases()[:1],
    )


def glm_ocr() -> Family:
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [16, 24, 24], "partial_rotary_factor": 1.0}
    config = GlmOcrConfig(
        text_config=dict(**HEADS, vocab_size=59392, hidden_size=256, head_dim=128, rope_parameters=rope),
        vision_config=dict(**VISION | {"out_hidden_size": 256}, hidden_size=128),
    )
    two = Case("two_images", [
        [("text", 2), ("image", (1, 8, 4)), ("text", 1), ("image", (1, 2, 6)), ("text", 2)],
    ], ("lm",))
    image = Case("image", [[("text", 3), ("image", (1, 8, 2)), ("text", 2)]], ("vision",))
    return Glm(
        "glm_ocr", "GlmOcrForConditionalGeneration", config, [two, image, *standard_cases()[:2]], pairing="adjacent",
        notes=("Vision q and k are captured after q_norm / k_norm.",),
    )


class GlmImage(Family):
    """Parts: ("image", grid) a picture given, ("target", grid) one to be generated. The last token starts the first."""

    has_next_turn = False

    def image(self, row: Row, grid) -> None:
        row.put(self.config.image_start_token_id)
        row.put(self.config.image_token_id, times=self.cells(grid))
        row.put(self.config.image_end_token_id)
        row.images.append(list(grid))

    def target(self, row: Row, grid) -> None:
        row.images.append(list(grid))
        row.extra["targets"] = row.extra.get("targets", 0) + 1

    def finish(self, row: Row) -> None:
        row.put(self.config.image_start_token_id)

    def sequence(self, row: Row) -> dict:
        sequence = row.sequence(type_ids=False) | {"images_per_sample": len(row.images)}
        for name in ("targets", "video_grid_thw"):
            sequence.pop(name)
        return sequence

    def inputs(self, rows, seed) -> dict:
        generator = torch.Generator().manual_seed(seed)
        inputs = {
            "input_ids": torch.tensor([row.ids for row in rows]),
            "attention_mask": torch.tensor([[0] * r.padding + [1] * (len(r.ids) - r.padding) for r in rows]),
            "image_grid_thw": torch.tensor([grid for row in rows for grid in row.images]),
            "images_per_sample": torch.tensor([len(row.images) for row in rows]),
        }
        given = [grid for row in rows for grid in row.images[: len(row.images) - row.extra["targets"]]]
        if given:
            vision = self.config.vision_config
            patches = sum(t * h * w for t, h, w in given)
            inputs["pixel_values"] = torch.randn(patches, 3 * vision.patch_size**2, generator=generator)
        return inputs

    def more_expected(self, model, row: int) -> dict:
        return {"decode_table": model.model._cached_decode_position_ids[row].tolist()}


def glm_image() -> Family:
    config = GlmImageConfig(
        text_config=dict(
            **HEADS, vocab_size=168064, hidden_size=512, rope_parameters=CHUNKED_64, pad_token_id=0, eos_token_id=None,
        ),
        vision_config=dict(depth=1, hidden_size=32, num_heads=2, intermediate_size=32, image_size=128),
        vq_config=dict(embed_dim=8, num_embeddings=16384, latent_channels=32),
    )
    cases = [
        Case("image_to_image", [[("text", 2), ("image", (1, 3, 2)), ("text", 3), ("target", (1, 2, 2))]], ("lm",)),
        Case("ids_text_to_image", [[("text", 9), ("target", (1, 3, 5)), ("target", (1, 4, 2))]]),
        Case("batch", [
            [("text", 6), ("target", (1, 2, 4)), ("target", (1, 2, 1))],
            [("text", 3), ("target", (1, 3, 2)), ("target", (1, 1, 2))],
        ]),
    ]
    return GlmImage(
        "glm_image", "GlmImageForConditionalGeneration", config, cases, mrope_section=(8, 12, 12),
        notes=("image_grid_thw counts tokens (not merged further); images_per_sample counts given pictures and "
               "pictures to be generated, which come last.",
               "Decode ids are the columns of decode_table, not index + delta: the remaining grids from last to first, "
               "then one end marker. rope_deltas is 0 by definition of the model.",
               "The tables of a batch are padded with their last column to one width. Padding has id 1."),
    )


GLM_FAMILIES = [glm4v, glm4v_moe, glm_ocr, glm_image]

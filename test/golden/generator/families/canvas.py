"""MiniCPM-V 4.7: pictures and their slices on one canvas, text model of Qwen3.5."""

import torch
from transformers import MiniCPMV4_7Config

from prompts import IMAGE, VIDEO, Row

from .base import HEADS, Case, Family

NOTES = (
    "target_sizes and target_sizes_videos are (h, w) in patches of every crop in prompt order: thumbnail, then slices.",
    "merge factor 4, or 2 with downsample_mode 4x.",
    "q and k are captured after q_norm / k_norm; rotary on the first 64 of 256 channels.",
    "out is the attention output before the sigmoid output gate and o_proj.",
    "The marker token ids are not those of a checkpoint.",
)


class Canvas(Family):
    """Parts: ("image", (1, h, w)), ("video", (frames, h, w)), ("sliced", (h, w), (rows, cols), (slice h, slice w))."""

    def image(self, row: Row, grid) -> None:
        self.crop(row, grid[1:], IMAGE, self.config.image_start_id, self.config.image_end_id)

    def video(self, row: Row, grid, _seconds: float | None = None) -> None:
        for _ in range(grid[0]):
            self.crop(row, grid[1:], VIDEO, self.config.image_start_id, self.config.image_end_id)

    def sliced(self, row: Row, thumbnail, layout, size) -> None:
        self.crop(row, thumbnail, IMAGE, self.config.image_start_id, self.config.image_end_id)
        for line in range(layout[0]):
            if line:
                row.put(self.config.newline_id)
            for _ in range(layout[1]):
                self.crop(row, size, IMAGE, self.config.slice_start_id, self.config.slice_end_id)

    def keep_more_tokens(self, row: Row) -> None:
        row.extra["downsample_mode"] = "4x"

    def crop(self, row: Row, size, kind: int, start: int, end: int) -> None:
        merge = 2 if row.extra.get("downsample_mode") == "4x" else 4
        token = self.config.image_token_id if kind == IMAGE else self.config.video_token_id
        row.put(start)
        row.put(token, kind=kind, times=(size[0] // merge) * (size[1] // merge))
        row.put(end)
        (row.images if kind == IMAGE else row.videos).append(list(size))

    def sequence(self, row: Row) -> dict:
        renamed = {"image_grid_thw": "target_sizes", "video_grid_thw": "target_sizes_videos"}
        return {renamed.get(key, key): value for key, value in row.sequence().items()}

    def inputs(self, rows, seed) -> dict:
        inputs = super().inputs(rows, seed)
        for old, new in (("image_grid_thw", "target_sizes"), ("video_grid_thw", "target_sizes_videos")):
            if old in inputs:
                inputs[new] = inputs.pop(old)
        for row in rows:
            inputs |= row.extra
        return inputs

    def pixels(self, grids, generator):
        vision = self.config.vision_config
        patches = sum(height * width for height, width in grids)
        size = (1, vision.num_channels, vision.patch_size, vision.patch_size * patches)
        return torch.randn(size, generator=generator)


def minicpmv4_7() -> Family:
    rope = {"rope_type": "default", "rope_theta": 1e7, "mrope_section": [11, 11, 10], "mrope_interleaved": True,
            "partial_rotary_factor": 0.25}
    config = MiniCPMV4_7Config(
        text_config=dict(
            model_type="qwen3_5_text", **HEADS, vocab_size=248320, hidden_size=256, head_dim=256,
            max_position_embeddings=262144, rope_parameters=rope, layer_types=["linear_attention", "full_attention"],
            linear_key_head_dim=32, linear_value_head_dim=32, linear_num_key_heads=2, linear_num_value_heads=2,
        ),
        vision_config=dict(hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
                           patch_size=16),
        insert_layer_id=0, image_token_id=248056, video_token_id=248057, image_start_id=248201, image_end_id=248202,
        slice_start_id=248203, slice_end_id=248204, newline_id=198,
    )
    cases = [
        Case("image_slices", [[("text", 1), ("sliced", (4, 8), (1, 2), (8, 4)), ("text", 2)]], ("lm",)),
        Case("ids_slices_in_rows", [[("text", 3), ("sliced", (8, 12), (3, 2), (12, 8)), ("text", 4)]]),
        Case("ids_image_and_video", [
            [("text", 2), ("image", (1, 12, 8)), ("text", 2), ("video", (3, 8, 16)), ("text", 3)],
        ]),
        Case("ids_starts_with_image", [[("image", (1, 16, 8)), ("sliced", (8, 8), (2, 1), (8, 16)), ("text", 2)]]),
        Case("ids_4x", [[("keep_more_tokens",), ("text", 2), ("sliced", (4, 6), (2, 2), (6, 4)), ("text", 2)]]),
        Case("batch", [
            [("text", 2), ("sliced", (8, 8), (2, 2), (8, 12)), ("text", 1)],
            [("text", 4), ("image", (1, 8, 12)), ("text", 2)],
        ]),
    ]
    return Canvas(
        "minicpmv4_7", "MiniCPMV4_7ForConditionalGeneration", config, cases, mrope_section=(11, 11, 10),
        allocation="interleaved", notes=NOTES, extra_packages=("qwen3_5",),
    )


CANVAS_FAMILIES = [minicpmv4_7]

"""What the families share: prompt rows, model inputs and the expected constants."""

import importlib
import random
from dataclasses import dataclass, field

import torch

from prompts import IMAGE, VIDEO, Row, seed_of

MODELS = "transformers.models."

# Sizes that do not matter for rotation are as small as they can be.
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2, "intermediate_size": 96}
VISION_80 = {"depth": 2, "num_heads": 2, "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2}
MARKERS = {"vision_start_token_id": 151652, "vision_end_token_id": 151653, "image_token_id": 151655,
           "video_token_id": 151656}
VISION_72 = {"depth": 2, "num_heads": 2, "patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2,
             "hidden_size": 144, "intermediate_size": 96, "num_position_embeddings": 2304}


@dataclass
class Case:
    """`rows`: one list of parts per prompt. `tensors`: "lm", "vision" or both; none makes an ids case.

    `by_rule`: the model class refuses this prompt, so get_rope_index alone is executed, decode ids follow by rule.
    `differs`: why mrope does not follow the model code here; tests then expect a difference.
    """

    name: str
    rows: list
    tensors: tuple = ()
    notes: tuple = ()
    by_rule: bool = False
    differs: str = ""


@dataclass
class Family:
    """A model family with chunked M-RoPE, one block per video and one start / end token: Qwen2-VL. Others override."""

    name: str
    model_class: str
    config: object
    cases: list
    package: str = ""
    mrope_section: tuple | None = (16, 24, 24)
    allocation: str = "chunked"
    pairing: str = "half-split"
    notes: tuple = ()
    # Rules of transformers 4.57.6, ids only.
    v4_cases: list = field(default_factory=list)
    # Layer whose tensors are kept.
    layer: int = 1
    vision_full_layer: int = 1
    vision_window_layer: int | None = None
    # Further modelling modules whose rotation and attention functions are called.
    extra_packages: tuple = ()
    text_range: tuple = (2000, 9000)
    has_seconds: bool = False

    @property
    def modules(self) -> list[str]:
        names = (self.package or self.name, *self.extra_packages)
        return [f"{MODELS}{name}.modeling_{name}" for name in names]

    def build_model(self) -> torch.nn.Module:
        model_class = getattr(importlib.import_module(self.modules[0]), self.model_class)
        self.config._attn_implementation = "eager"
        torch.manual_seed(0)
        return model_class(self.config).eval().float()

    # Prompt form

    def image(self, row: Row, grid) -> None:
        row.put(self.config.vision_start_token_id)
        row.put(self.config.image_token_id, kind=IMAGE, times=self.cells(grid))
        row.put(self.config.vision_end_token_id)
        row.images.append(list(grid))

    def video(self, row: Row, grid, seconds: float | None = None) -> None:
        row.put(self.config.vision_start_token_id)
        row.put(self.config.video_token_id, kind=VIDEO, times=self.cells(grid))
        row.put(self.config.vision_end_token_id)
        row.videos.append(list(grid))
        if seconds is not None:
            row.seconds.append(seconds)

    def cells(self, grid) -> int:
        return grid[0] * grid[1] * grid[2] // self.config.vision_config.spatial_merge_size**2

    def rows(self, case: Case) -> list[Row]:
        rng = random.Random(seed_of(self.name, case.name))
        rows = []
        for parts in case.rows:
            row = Row(rng, self.text_range)
            for kind, *arguments in parts:
                getattr(row if kind == "text" else self, kind)(*([] if kind == "text" else [row]), *arguments)
            self.finish(row)
            rows.append(row)
        width = max(len(row.ids) for row in rows)
        for row in rows:
            row.pad_left(width)
        return rows

    def finish(self, row: Row) -> None:
        """Called when all parts of a row are in it."""

    def sequence(self, row: Row) -> dict:
        return row.sequence(second_key=self.has_seconds)

    # Model inputs

    def inputs(self, rows: list[Row], seed: int) -> dict:
        """Arguments of forward() and generate() for the rows of one call."""
        generator = torch.Generator().manual_seed(seed)
        images = [grid for row in rows for grid in row.images]
        videos = [grid for row in rows for grid in row.videos]
        inputs = {
            "input_ids": torch.tensor([row.ids for row in rows]),
            "attention_mask": torch.tensor([[0] * r.padding + [1] * (len(r.ids) - r.padding) for r in rows]),
            "mm_token_type_ids": torch.tensor([row.types for row in rows]),
        }
        if images:
            inputs["image_grid_thw"] = torch.tensor(images)
            inputs["pixel_values"] = self.pixels(images, generator)
        if videos:
            inputs["video_grid_thw"] = torch.tensor(videos)
            inputs["pixel_values_videos"] = self.pixels(videos, generator)
        seconds = [value for row in rows for value in row.seconds]
        if self.has_seconds and seconds:
            inputs["second_per_grid_ts"] = torch.tensor(seconds, dtype=torch.float32)
        return inputs

    def pixels(self, grids: list, generator: torch.Generator) -> torch.Tensor:
        vision = self.config.vision_config
        patch = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
        patches = sum(t * h * w for t, h, w in grids)
        return torch.randn(patches, patch, generator=generator)

    # Parts of the model

    def holder(self, model: torch.nn.Module) -> torch.nn.Module:
        """The module that has get_rope_index and rope_deltas."""
        return model.model

    def language_layer(self, _model: torch.nn.Module) -> str:
        return f"model.language_model.layers.{self.layer}.self_attn"

    language_rotary = "model.language_model.rotary_emb"
    vision_rotary = "model.visual.rotary_pos_emb"

    def vision_layer(self, index: int) -> str:
        return f"model.visual.blocks.{index}.attn"

    @property
    def rope_config(self):
        """The configuration get_rope_index reads."""
        return self.config

    def v4_arguments(self, inputs: dict) -> dict:
        names = ("input_ids", "attention_mask", "image_grid_thw", "video_grid_thw", "second_per_grid_ts")
        return {name: inputs[name] for name in names if name in inputs}

    def v4_delta(self, delta: float, _padding: int) -> float:
        """The delta the 4.57.6 model keeps for decoding, from the one get_rope_index returns."""
        return delta

    def inv_freq(self, rotary: torch.nn.Module) -> torch.Tensor:
        return rotary.inv_freq

    def attention_factor(self, rotary: torch.nn.Module) -> float:
        return rotary.attention_scaling

    # False where a second generate() on the same cache means nothing.
    has_next_turn = True

    def more_expected(self, _model: torch.nn.Module, _row: int) -> dict:
        """Further keys of expected.json (of a row in a batch), read after generate()."""
        return {}

    # Expected constants

    @property
    def text_config(self):
        return getattr(self.config, "text_config", self.config)

    @property
    def head_dim(self) -> int:
        text = self.text_config
        return getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads

    @property
    def rotary_dim(self) -> int:
        return int(self.head_dim * (self.text_config.rope_parameters.get("partial_rotary_factor") or 1))

    def constants(self) -> dict:
        text = self.text_config
        return {
            "family": self.name,
            "transformers_version": "5.18.0",
            "mrope_section": list(self.mrope_section) if self.mrope_section else None,
            "allocation": self.allocation,
            "pairing": self.pairing,
            "rotary_dim": self.rotary_dim,
            "head_dim": self.head_dim,
            "heads": text.num_attention_heads,
            "kv_heads": text.num_key_value_heads,
        }


class TimestampVideo(Family):
    """One block per frame with timestamp text before it: Qwen3-VL and its relatives."""

    def video(self, row: Row, grid, _seconds: float | None = None) -> None:
        frames, height, width = grid
        for frame in range(frames):
            if frame:
                row.text(3)
            row.put(self.config.vision_start_token_id)
            row.put(self.config.video_token_id, kind=VIDEO, times=self.cells((1, height, width)))
            row.put(self.config.vision_end_token_id)
        row.videos.append(list(grid))


def standard_cases(seconds: tuple = ()) -> list[Case]:
    """Ids cases for families whose prompts are made of text, images and videos."""
    first, second = (seconds * 2)[:2] if seconds else ((), ())
    first, second = ((s,) if s != () else () for s in (first, second))
    return [
        Case("batch", [
            [("text", 3), ("image", (1, 6, 4)), ("text", 2), ("image", (1, 2, 10)), ("text", 4)],
            [("text", 5), ("image", (1, 4, 2)), ("text", 1)],
            [("text", 2), ("image", (1, 8, 6)), ("text", 3)],
        ]),
        Case("batch_video_and_text", [
            [("text", 9)],
            [("text", 2), ("video", (5, 4, 6), *first), ("text", 3)],
            [("text", 6), ("video", (2, 8, 4), *second), ("text", 11)],
        ]),
        Case("ids_text", [[("text", 13)]]),
        Case("ids_starts_with_image", [[("image", (1, 4, 10)), ("text", 4)]]),
        Case("ids_ends_with_image", [[("text", 6), ("image", (1, 10, 4))]]),
        Case("ids_two_videos", [
            [("text", 1), ("video", (7, 2, 4), *first), ("text", 4), ("video", (3, 6, 4), *second), ("text", 5)],
        ]),
        Case("ids_one_row_one_column", [
            [("text", 2), ("image", (1, 2, 18)), ("text", 1), ("image", (1, 18, 2)), ("text", 1),
             ("image", (1, 2, 2)), ("text", 2)],
        ]),
    ]


def v4_standard_cases(seconds: tuple = ()) -> list[Case]:
    first, second = (seconds * 2)[:2] if seconds else ((), ())
    first, second = ((s,) if s != () else () for s in (first, second))
    return [
        Case("v4_image_video", [
            [("text", 4), ("image", (1, 8, 6)), ("text", 2), ("video", (6, 4, 6), *first), ("text", 3)],
        ]),
        Case("v4_two_videos", [
            [("text", 2), ("video", (8, 2, 6), *first), ("text", 3), ("video", (3, 6, 4), *second), ("text", 4)],
        ]),
        Case("v4_batch", [
            [("text", 3), ("image", (1, 4, 8)), ("text", 5)],
            [("text", 2), ("video", (6, 4, 2), *first), ("text", 1)],
            [("text", 4)],
        ]),
    ]

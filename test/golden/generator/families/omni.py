"""The thinkers of Qwen2.5-Omni and Qwen3-Omni."""

import torch
from transformers import Qwen2_5OmniThinkerConfig, Qwen3OmniMoeThinkerConfig

from prompts import AUDIO, VIDEO, Row

from .base import HEADS, MARKERS, VISION_72, VISION_80, Case, Family, standard_cases, v4_standard_cases

AUDIO_MARKERS = {"audio_start_token_id": 151647, "audio_end_token_id": 151648}
THINKER = "Thinker only. second_per_grid_ts is the argument video_second_per_grid of the model."
MEL_BINS = 128
FLOAT32_PRODUCT = (
    "Time is (frame * seconds) * position_id_per_seconds in float32; float64 gives other ids for 0.7 and 1.4."
)


class Omni(Family):
    language_rotary = "model.rotary_emb"
    vision_rotary = "visual.rotary_pos_emb"

    def language_layer(self, _model) -> str:
        return f"model.layers.{self.layer}.self_attn"

    def vision_layer(self, index: int) -> str:
        return f"visual.blocks.{index}.attn"

    def holder(self, model):
        return model

    def audio(self, row: Row, frames: int) -> None:
        row.put(self.config.audio_start_token_id)
        row.put(self.config.audio_token_id, kind=AUDIO, times=self.audio_tokens(frames))
        row.put(self.config.audio_end_token_id)
        row.audio.append(frames)

    def audio_video(self, row: Row, grid, seconds: float, frames: int) -> None:
        """A video with its own sound: both streams between one pair of vision and audio markers."""
        row.put(self.config.vision_start_token_id, self.config.audio_start_token_id)
        for kind in self.merged(grid, seconds, self.audio_tokens(frames)):
            row.put(self.config.video_token_id if kind == VIDEO else self.config.audio_token_id, kind=kind)
        row.put(self.config.audio_end_token_id, self.config.vision_end_token_id)
        row.videos.append(list(grid))
        row.seconds.append(seconds)
        row.audio.append(frames)
        row.audio_in_video = True

    def frame_ids(self, grid, seconds: float) -> list[float]:
        """Time of every video token in ids of the block, as the processor computes it."""
        cells = self.cells((1, *grid[1:]))
        return [frame * seconds * self.config.position_id_per_seconds for frame in range(grid[0]) for _ in range(cells)]

    def inputs(self, rows, seed) -> dict:
        inputs = super().inputs(rows, seed)
        del inputs["mm_token_type_ids"]
        if "second_per_grid_ts" in inputs:
            inputs["video_second_per_grid"] = inputs.pop("second_per_grid_ts")
        frames = [count for row in rows for count in row.audio]
        if frames:
            generator = torch.Generator().manual_seed(seed + 1)
            inputs["input_features"] = torch.randn(len(frames), MEL_BINS, max(frames), generator=generator)
            inputs["feature_attention_mask"] = torch.stack([
                (torch.arange(max(frames)) < count).long() for count in frames
            ])
        if any(row.audio_in_video for row in rows):
            inputs["use_audio_in_video"] = True
        return inputs

    def v4_arguments(self, inputs: dict) -> dict:
        names = {"input_ids": "input_ids", "attention_mask": "attention_mask", "image_grid_thw": "image_grid_thw",
                 "video_grid_thw": "video_grid_thw", "video_second_per_grid": "second_per_grids",
                 "use_audio_in_video": "use_audio_in_video"}
        arguments = {names[name]: value for name, value in inputs.items() if name in names}
        if "feature_attention_mask" in inputs:
            arguments["audio_seqlens"] = inputs["feature_attention_mask"].sum(-1)
        return arguments


    def v4_delta(self, delta: float, padding: int) -> float:
        # Here get_rope_index counts real tokens; forward() takes the padding off before it keeps the delta.
        return delta - padding


class Omni25(Omni):
    """Chunks of two seconds: the video of a chunk, then its audio."""

    def audio_tokens(self, frames: int) -> int:
        return ((frames - 1) // 2 + 1 - 2) // 2 + 1

    def merged(self, grid, seconds: float, audio: int) -> list[int]:
        size = self.config.position_id_per_seconds * self.config.seconds_per_chunk
        streams = [chunks(self.frame_ids(grid, seconds), size), chunks(list(range(audio)), size)]
        order = []
        for index in range(max(map(len, streams))):
            for kind, stream in zip((VIDEO, AUDIO), streams):
                order += [kind] * (stream[index] if index < len(stream) else 0)
        return order


class Omni3(Omni):
    """Token by token in order of time, video first where both have the same."""

    def audio_tokens(self, frames: int) -> int:
        rest = (frames % 100 - 1) // 2 + 1
        return ((rest - 1) // 2 + 1 - 1) // 2 + 1 + frames // 100 * 13

    def merged(self, grid, seconds: float, audio: int) -> list[int]:
        timed = [(time, VIDEO) for time in self.frame_ids(grid, seconds)] + [(time, AUDIO) for time in range(audio)]
        return [kind for _, kind in sorted(timed)]


def chunks(ids: list, size: int) -> list[int]:
    """Lengths of the chunks. A gap of more than one chunk still opens only one new chunk."""
    lengths, border = [0], size
    for value in ids:
        if value >= border:
            lengths.append(0)
            border += size
        lengths[-1] += 1
    return lengths


def audio_cases(tensors_of_joint: tuple = ()) -> list[Case]:
    return [
        Case("audio_in_video", [
            [("text", 2), ("audio_video", (3, 2, 6), 0.5, 60), ("text", 3)],
        ], tensors_of_joint),
        Case("ids_audio", [[("text", 2), ("audio", 83), ("text", 3)]]),
        Case("ids_audio_and_image", [
            [("audio", 37), ("text", 2), ("image", (1, 4, 8)), ("text", 1), ("audio", 140), ("text", 3)],
        ]),
        Case("ids_audio_in_video_shorter", [[("text", 3), ("audio_video", (5, 2, 4), 1.1, 130), ("text", 4)]]),
        Case("ids_audio_in_video_longer", [[("text", 1), ("audio_video", (2, 4, 2), 0.6, 330), ("text", 5)]]),
        Case("ids_two_audio_in_video", [
            [("text", 1), ("audio_video", (3, 2, 4), 0.9, 210), ("text", 2), ("audio_video", (4, 4, 2), 0.3, 60),
             ("text", 2)],
        ]),
    ]


def seconds_cases() -> list[Case]:
    return [
        Case(f"ids_seconds_{value}", [
            [("text", 3), ("video", (frames, 2, 2), value), ("text", 2), ("image", (1, 4, 2)), ("text", 2)],
        ], notes=(FLOAT32_PRODUCT,))
        for value, frames in ((0.5, 5), (0.7, 16), (1.4, 9))
    ]


def qwen2_5_omni() -> Family:
    config = Qwen2_5OmniThinkerConfig(
        text_config=dict(
            **HEADS, vocab_size=152064, hidden_size=512,
            rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
        ),
        vision_config=dict(
            **VISION_80, hidden_size=160, intermediate_size=96, out_hidden_size=512, window_size=112,
            fullatt_block_indexes=[1],
        ),
        audio_config=dict(
            encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=64, d_model=64, output_dim=512,
            num_mel_bins=MEL_BINS,
        ),
        vision_start_token_id=MARKERS["vision_start_token_id"], vision_end_token_id=MARKERS["vision_end_token_id"],
        **AUDIO_MARKERS,
    )
    video = Case("image_video", [
        [("text", 1), ("image", (1, 4, 6)), ("text", 2), ("video", (2, 6, 4), 1.2), ("text", 2)],
    ], ("lm",))
    # Frames of 3 x 1 merged cells: no window crosses a frame.
    frames = Case("video_frames", [[("text", 2), ("video", (2, 6, 2), 0.8), ("text", 2)]], ("vision",))
    cases = [video, frames, *standard_cases((0.5, 2.0)), *seconds_cases(), *audio_cases()]
    v4_audio = [Case(f"v4_{case.name}", case.rows) for case in audio_cases()[:1]]
    return Omni25(
        "qwen2_5_omni", "Qwen2_5OmniThinkerForConditionalGeneration", config, cases, has_seconds=True,
        notes=(THINKER,), vision_window_layer=0, v4_cases=[*v4_standard_cases((1.0, 0.7)), *v4_audio],
    )


def qwen3_omni_moe() -> Family:
    config = Qwen3OmniMoeThinkerConfig(
        text_config=dict(
            **HEADS, vocab_size=151936, hidden_size=256, head_dim=128, num_experts=4, num_experts_per_tok=2,
            moe_intermediate_size=32,
            rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": [24, 20, 20],
                             "mrope_interleaved": True, "interleaved": True},
        ),
        vision_config=dict(**VISION_72, out_hidden_size=256, deepstack_visual_indexes=[0]),
        audio_config=dict(
            encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=64, d_model=64, output_dim=256,
            num_mel_bins=MEL_BINS, downsample_hidden_size=16,
        ),
        position_id_per_seconds=13,
        vision_start_token_id=MARKERS["vision_start_token_id"], vision_end_token_id=MARKERS["vision_end_token_id"],
        **AUDIO_MARKERS,
    )
    image = Case("image", [[("text", 2), ("image", (1, 8, 2)), ("text", 2)]], ("vision",))
    cases = [image, *standard_cases((0.5, 1.3)), *seconds_cases(), *audio_cases(("lm",))]
    v4_audio = [Case(f"v4_{case.name}", case.rows) for case in audio_cases()[:1]]
    return Omni3(
        "qwen3_omni_moe", "Qwen3OmniMoeThinkerForConditionalGeneration", config, cases, has_seconds=True,
        mrope_section=(24, 20, 20), allocation="interleaved", v4_cases=[*v4_standard_cases((0.5, 0.7)), *v4_audio],
        notes=(THINKER, "q and k are captured after q_norm / k_norm.",
               "Ids are float32 and not truncated; lm.position_ids is float32 where they are fractional."),
    )


OMNI_FAMILIES = [qwen2_5_omni, qwen3_omni_moe]

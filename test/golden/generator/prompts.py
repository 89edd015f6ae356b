"""Prompts in the names of Hugging Face processors, without a processor: the same tokens, counts and grids.

A prompt is a list of parts:
    ("text", n)                    n ordinary tokens
    ("image", (t, h, w))           grid in raw patches
    ("video", (t, h, w), seconds)  seconds per temporal patch, where the family has it (else left out)
    ("audio", frames)              mel frames
    ("audio_video", (t, h, w), seconds, frames)
"""

import random
import zlib
from dataclasses import dataclass, field

TEXT, IMAGE, VIDEO, AUDIO = 0, 1, 2, 3


@dataclass
class Row:
    """One prompt. `types` is mm_token_type_ids."""

    rng: random.Random
    text_range: tuple[int, int]
    ids: list = field(default_factory=list)
    types: list = field(default_factory=list)
    images: list = field(default_factory=list)
    videos: list = field(default_factory=list)
    seconds: list = field(default_factory=list)
    audio: list = field(default_factory=list)
    audio_in_video: bool = False
    padding: int = 0
    # More keys of sequence.json that one family needs.
    extra: dict = field(default_factory=dict)

    def put(self, *tokens: int, kind: int = TEXT, times: int = 1) -> None:
        self.ids += list(tokens) * times
        self.types += [kind] * (len(tokens) * times)

    def text(self, count: int) -> None:
        self.put(*(self.rng.randrange(*self.text_range) for _ in range(count)))

    def pad_left(self, width: int) -> None:
        self.padding = width - len(self.ids)
        self.ids = [0] * self.padding + self.ids
        self.types = [TEXT] * self.padding + self.types

    def sequence(self, second_key: bool = False, type_ids: bool = True) -> dict:
        """The row as sequence.json has it."""
        row = {"input_ids": self.ids}
        if self.padding:
            row["attention_mask"] = [0] * self.padding + [1] * (len(self.ids) - self.padding)
        row |= {"image_grid_thw": self.images, "video_grid_thw": self.videos}
        if second_key and self.seconds:
            row["second_per_grid_ts"] = self.seconds
        if self.audio:
            row["audio_feature_lengths"] = self.audio
            if self.audio_in_video:
                row["use_audio_in_video"] = True
        row |= self.extra
        if type_ids:
            row["mm_token_type_ids"] = self.types
        return row


def seed_of(*words: str) -> int:
    return zlib.crc32("/".join(words).encode())

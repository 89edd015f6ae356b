"""Text models: one axis, with a length extension."""

from transformers import LlamaConfig, Phi3Config

from .base import HEADS, Case, Family


class Text(Family):
    """Ids are [[0, 1, 2, ...]]: one axis."""

    language_rotary = "model.rotary_emb"

    def language_layer(self, _model) -> str:
        return f"model.layers.{self.layer}.self_attn"

    def sequence(self, row) -> dict:
        return {key: value for key, value in row.sequence(type_ids=False).items() if not key.endswith("grid_thw")}

    def inputs(self, rows, seed) -> dict:
        inputs = super().inputs(rows, seed)
        del inputs["mm_token_type_ids"]
        return inputs


def llama() -> Family:
    rope = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192}
    config = LlamaConfig(
        **HEADS, vocab_size=128256, hidden_size=512, max_position_embeddings=131072, rope_parameters=rope,
        bos_token_id=None, eos_token_id=None,
    )
    cases = [
        Case("text", [[("text", 19)]], ("lm",)),
        Case("batch", [[("text", 7)], [("text", 3)], [("text", 10)]]),
    ]
    return Text("llama", "LlamaForCausalLM", config, cases, mrope_section=None, allocation="single")


def phi3() -> Family:
    pairs = 48
    rope = {"rope_type": "longrope", "rope_theta": 1e4, "partial_rotary_factor": 1.0,
            "short_factor": [round(1 + 0.01 * i, 2) for i in range(pairs)],
            "long_factor": [round(1 + 0.03 * i * i, 2) for i in range(pairs)],
            "original_max_position_embeddings": 12}
    config = Phi3Config(
        **HEADS, vocab_size=32064, hidden_size=384, max_position_embeddings=384, original_max_position_embeddings=12,
        rope_parameters=rope, bos_token_id=None, eos_token_id=None, pad_token_id=0,
    )
    cases = [
        Case("text_short", [[("text", 7)]], ("lm",), ("Every id is below 12: short_factor.",)),
        Case("text_long", [[("text", 15)]], ("lm",), ("Ids reach 12 and more: long_factor for all tokens.",)),
    ]
    return Text(
        "phi3", "Phi3ForCausalLM", config, cases, mrope_section=None, allocation="single",
        notes=("The original length is 12 (published: 4096) so that short prompts reach both factor lists.",),
    )


TEXT_FAMILIES = [llama, phi3]

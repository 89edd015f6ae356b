"""Runs one case on the model and turns what was captured into the contents of its files."""

import numpy as np
import torch

import v4
from capture import AttentionCall, Recorder
from families.base import Case, Family
from prompts import Row, seed_of

STEPS = 3
DECODE_NOTE = (
    "generate() and forward() disagree on decode ids: generate() continues from the last column (+1 per axis), "
    "forward() with a cache uses index + rope_delta. decode.* tensors belong to generate()."
)
BY_RULE_NOTE = (
    "get_rope_index only; the two decode rows are by rule: last column + 1 (generate) and index + delta (forward)."
)
V4_NOTES = (
    f"Rules of transformers {v4.VERSION}: get_rope_index executed from its source.",
    "decode ids by rule: (width of the padded row + step) + rope_deltas on every axis.",
)


class Runner:
    def __init__(self, family: Family, model: torch.nn.Module):
        self.family = family
        self.model = model
        self.recorder = Recorder(model, family.modules)
        blocked = [token for name, token in sorted(family.config.to_dict().items()) if name.endswith("token_id")]
        size = model.get_output_embeddings().out_features
        self.generation = dict(
            do_sample=False, max_new_tokens=STEPS + 1, return_dict_in_generate=True, pad_token_id=0,
            suppress_tokens=[token for token in blocked if isinstance(token, int) and token < size] or None,
        )

    def case(self, case: Case) -> tuple[list, dict, dict]:
        """sequence, expected, tensors."""
        rows = self.family.rows(case)
        inputs = self.family.inputs(rows, seed_of(self.family.name, case.name, "inputs"))
        sequences = [self.family.sequence(row) for row in rows]
        expected = self.family.constants() | {"case": case.name}
        if case.differs:
            expected["differs"] = case.differs
        notes = [*self.family.notes, *case.notes]
        if case.by_rule:
            return sequences[0], expected | self._by_rule(inputs) | {"notes": [*notes, BY_RULE_NOTE]}, {}
        record, output = self._generate(inputs)
        prompt, steps = self._language_positions(record, len(rows[0].ids))
        deltas = self._deltas(len(rows))
        if len(rows) > 1:
            expected["notes"] = notes
            expected["batch"] = [
                {
                    "position_ids": plain(prompt[:, i]),
                    "rope_deltas": plain(deltas[i]),
                    "padding": row.padding,
                    "decode_position_ids": [plain(step[:, i, 0]) for step in steps],
                }
                | self.family.more_expected(self.model, i)
                for i, row in enumerate(rows)
            ]
            return sequences, expected, {}
        expected["position_ids"] = plain(prompt[:, 0])
        expected["rope_deltas"] = plain(deltas[0])
        expected["decode_position_ids"] = [plain(step[:, 0, 0]) for step in steps]
        expected |= self.family.more_expected(self.model, 0)
        expected["generated_ids"] = output.sequences[0, -STEPS - 1 :].tolist()
        if case.tensors:
            expected |= self._layer_constants(record)
        expected["decode_position_ids_forward"] = self._forward_decode(inputs, expected["generated_ids"])
        if expected["decode_position_ids_forward"] != expected["decode_position_ids"]:
            notes.append(DECODE_NOTE)
        if self.family.has_next_turn:
            expected["next_turn"] = self._next_turn(rows[0], output, len(prompt))
        expected["notes"] = notes
        tensors = {}
        if "lm" in case.tensors:
            tensors |= self._language_tensors(record, prompt)
        if "vision" in case.tensors:
            vision, constants = self._vision_tensors(record, rows[0])
            tensors |= vision
            expected["vision"] = constants
        return sequences[0], expected, tensors

    def _by_rule(self, inputs: dict) -> dict:
        names = ("input_ids", "mm_token_type_ids", "image_grid_thw", "video_grid_thw", "attention_mask")
        positions, deltas = self.family.holder(self.model).get_rope_index(
            **{name: inputs[name] for name in names if name in inputs}
        )
        last, delta, width = plain(positions[:, 0, -1]), plain(deltas.reshape(-1)[0]), positions.shape[-1]
        return {
            "position_ids": plain(positions[:, 0]),
            "rope_deltas": delta,
            "decode_position_ids": [[value + 1 + step for value in last] for step in range(STEPS)],
            "decode_position_ids_forward": [[width + step + delta] * len(last) for step in range(STEPS)],
        }

    # Runs

    def _reset(self) -> None:
        holder = self.family.holder(self.model)
        if hasattr(holder, "rope_deltas"):
            holder.rope_deltas = None

    def _generate(self, inputs: dict):
        self._reset()
        with self.recorder.recording() as record, torch.no_grad():
            output = self.model.generate(**inputs, **self.generation)
        return record, output

    def _deltas(self, rows: int) -> torch.Tensor:
        deltas = getattr(self.family.holder(self.model), "rope_deltas", None)
        return torch.zeros(rows, dtype=torch.long) if deltas is None else deltas.reshape(rows)

    def _forward_decode(self, inputs: dict, generated: list[int]) -> list:
        """Decode by forward() and a cache, without position ids and without a mask, as a hand-written loop does."""
        self._reset()
        with torch.no_grad():
            cache = self.model(**inputs, use_cache=True).past_key_values
            with self.recorder.recording() as record:
                for token in generated[:STEPS]:
                    self.model(input_ids=torch.tensor([[token]]), past_key_values=cache, use_cache=True)
        return [plain(axes(ids)[:, 0, 0]) for ids in self._rotary_calls(record)]

    def _next_turn(self, row: Row, output, count: int) -> dict:
        """A second generate() on the same cache: the last generated token is not in it yet, then three new tokens."""
        new = self.model_text(row)
        ids = torch.cat([output.sequences, torch.tensor([new])], dim=1)
        cache = output.past_key_values
        index = cache.get_seq_length()
        with self.recorder.recording() as record, torch.no_grad():
            self.model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), past_key_values=cache,
                **self.generation | {"max_new_tokens": 1},
            )
        positions = axes(self._rotary_calls(record)[0])[:, 0]
        # The model may leave equal axes to broadcasting.
        positions = positions.expand(count, -1)
        return {"input_ids": ids[0, index:].tolist(), "index": index, "position_ids": plain(positions)}

    def model_text(self, row: Row) -> list[int]:
        return [row.rng.randrange(*row.text_range) for _ in range(3)]

    # What was recorded

    def _rotary_calls(self, record) -> list[torch.Tensor]:
        return [ids for name, ids in record.positions if name == self.family.language_rotary]

    def _language_positions(self, record, width: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Prompt ids (axes, rows, width) and the ids of every decode step (axes, rows, 1)."""
        calls = [axes(ids) for ids in self._rotary_calls(record)]
        assert calls[0].shape[-1] == width and len(calls) == STEPS + 1, [tuple(c.shape) for c in calls]
        return calls[0], calls[1:]

    def _language_calls(self, record) -> list[AttentionCall]:
        name = self.family.language_layer(self.model)
        return [call for call in record.attention if call.layer == name]

    def _layer_constants(self, record) -> dict:
        rotary = self.model.get_submodule(self.family.language_rotary)
        return {
            "layer": self.family.layer,
            "scale": self._language_calls(record)[0].scale,
            "attention_factor": float(self.family.attention_factor(rotary)),
            "inv_freq": self.family.inv_freq(rotary).tolist(),
        }

    def _language_tensors(self, record, prompt: torch.Tensor) -> dict:
        calls = self._language_calls(record)
        assert len(calls) == STEPS + 1
        tensors = {f"lm.{key}": value for key, value in language_arrays(calls[0]).items()}
        ids = prompt[:, 0].numpy()
        tensors["lm.position_ids"] = ids.astype(np.float32 if ids.dtype.kind == "f" else np.int32)
        for step, call in enumerate(calls[1:]):
            tensors |= {f"decode.{step}.{key}": value for key, value in language_arrays(call).items()}
        return tensors

    def _vision_tensors(self, record, row: Row) -> tuple[dict, dict]:
        family = self.family
        full = self._vision_call(record, family.vision_full_layer)
        tensors = {f"vision.full.{key}": value for key, value in vision_arrays(full).items()}
        ids = next(ids for name, ids in record.positions if name == family.vision_rotary)
        tensors["vision.position_ids"] = ids.numpy().astype(np.int32)
        rotary = self.model.get_submodule(family.vision_rotary)
        constants = {
            "scale": full.scale,
            "pairing": "half-split",
            "full_layer": family.vision_full_layer,
            "inv_freq": rotary.inv_freq.tolist(),
            "grid_thw": row.images or row.videos,
        }
        if family.vision_window_layer is not None:
            window = self._vision_call(record, family.vision_window_layer)
            tensors |= {f"vision.window.{key}": value for key, value in vision_arrays(window).items()}
            tensors["vision.window_index"] = record.windows[0].numpy().astype(np.int32)
            constants["window_layer"] = family.vision_window_layer
        return tensors, constants

    def _vision_call(self, record, index: int) -> AttentionCall:
        name = self.family.vision_layer(index)
        return next(call for call in record.attention if call.layer == name)


def v4_case(family: Family, case: Case, root) -> tuple[list, dict]:
    rows = family.rows(case)
    inputs = family.inputs(rows, 0)
    arguments = family.v4_arguments(inputs)
    positions, deltas = v4.rope_index(root, family.package or family.name, family.rope_config, arguments)
    width = len(rows[0].ids)
    results = []
    for i, row in enumerate(rows):
        delta = family.v4_delta(plain(deltas.reshape(-1)[i]), row.padding)
        decode = [[width + step + delta] * 3 for step in range(STEPS)]
        results.append({"position_ids": plain(positions[:, i]), "rope_deltas": delta, "padding": row.padding,
                        "decode_position_ids": decode})
    expected = family.constants() | {"transformers_version": v4.VERSION, "case": case.name}
    expected["notes"] = [*family.notes, *case.notes, *V4_NOTES]
    sequences = [family.sequence(row) for row in rows]
    if len(rows) > 1:
        return sequences, expected | {"batch": results}
    results[0].pop("padding")
    return sequences[0], expected | results[0]


def language_arrays(call: AttentionCall) -> dict:
    """(tokens, heads, head_dim) float32 of one call with one row."""
    rotation = call.rotation
    tokens = rotation["q"].shape[2]
    arrays = {key: rotation[key][0].transpose(0, 1) for key in ("q", "k", "q_rot", "k_rot")}
    # The value the layer attends to includes the cache; the new tokens are its last ones.
    arrays["v"] = call.value[0][0, :, -tokens:].transpose(0, 1)
    arrays["cos"], arrays["sin"] = (rotation[key].reshape(tokens, -1) for key in ("cos", "sin"))
    arrays["out"] = call.out[0][0]
    if not torch.equal(call.query, rotation["q_rot"]):
        # Something stands between rotation and attention: keep what attention read.
        arrays["q_attend"] = call.query[0].transpose(0, 1)
        arrays["k_attend"] = call.key[0, :, -tokens:].transpose(0, 1)
    return {key: value.contiguous().float().numpy() for key, value in arrays.items()}


def vision_arrays(call: AttentionCall) -> dict:
    """(patches, heads, head_dim) float32 and the segment borders."""
    rotation = call.rotation
    arrays = {key: rotation[key].squeeze(0) for key in ("q", "k", "q_rot", "k_rot")}
    patches = rotation["cos"].shape[-2]
    if arrays["q"].shape[0] != patches:
        arrays = {key: value.transpose(0, 1) for key, value in arrays.items()}
    arrays["v"] = torch.cat(call.value, dim=2)[0].transpose(0, 1)
    arrays["cos"], arrays["sin"] = (rotation[key].reshape(patches, -1) for key in ("cos", "sin"))
    arrays["out"] = torch.cat(call.out, dim=1)[0]
    result = {key: value.contiguous().float().numpy() for key, value in arrays.items()}
    lengths = [value.shape[2] for value in call.value]
    result["cu_seqlens"] = np.cumsum([0, *lengths]).astype(np.int32)
    return result


def axes(ids: torch.Tensor) -> torch.Tensor:
    """(axes, rows, tokens), also for one-dimensional ids."""
    return ids if ids.ndim == 3 else ids[None]


def plain(value: torch.Tensor):
    """Nested lists; whole numbers as integers, so that 3.0 and 3 are written alike."""
    def convert(item):
        if isinstance(item, list):
            return [convert(x) for x in item]
        return int(item) if float(item).is_integer() else item

    return convert(value.tolist())

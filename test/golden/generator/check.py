"""Recomputes every rotation and attention in float64 from the stored tensors and prints the largest errors.

    python check.py [FOLDER]

Nothing of transformers or torch is used here; only the meaning of the keys as README.md states it.
"""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

COLUMNS = ("rotate", "table", "out", "decode", "v.rotate", "v.table", "v.out", "wrong", "std")
# Column "wrong": how far `out` moves when every angle is 1 % off. It must be far above "out".
LIMITS = {"rotate": 2e-6, "table": 2e-4, "out": 2e-5, "decode": 2e-5, "v.rotate": 2e-6, "v.table": 2e-5, "v.out": 2e-5}


def main() -> int:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    worst = dict.fromkeys(LIMITS, 0.0)
    print(f"{'case':38}" + "".join(f"{name:>10}" for name in COLUMNS))
    for file in sorted(root.glob("*/*/tensors.safetensors")):
        errors = check_case(file)
        print(f"{file.parent.parent.name + '/' + file.parent.name:38}"
              + "".join(f"{errors[name]:>10.2e}" if name in errors else f"{'':>10}" for name in COLUMNS))
        for name in worst:
            worst[name] = max(worst[name], errors.get(name, 0.0))
    print(f"{'largest':38}" + "".join(f"{worst[name]:>10.2e}" for name in LIMITS))
    failed = [name for name, limit in LIMITS.items() if not worst[name] <= limit]
    print("failed: " + ", ".join(failed) if failed else "all within limits")
    return 1 if failed else 0


def check_case(file: Path) -> dict:
    tensors = {key: value.astype(np.float64) for key, value in load_file(file).items()}
    expected = json.loads((file.parent / "expected.json").read_text())
    errors = {}
    if "lm.q" in tensors:
        errors |= check_language(tensors, expected)
    for name in ("full", "window"):
        if f"vision.{name}.q" in tensors:
            for key, value in check_vision(tensors, name, expected["vision"]).items():
                errors[key] = max(errors.get(key, 0.0), value)
    return errors


def part(tensors: dict, prefix: str) -> dict:
    return {key[len(prefix) + 1 :]: value for key, value in tensors.items() if key.startswith(prefix + ".")}


def check_language(tensors: dict, expected: dict) -> dict:
    lm = part(tensors, "lm")
    steps = [part(tensors, f"decode.{step}") for step in range(3)]
    scale, pairing = expected["scale"], expected["pairing"]
    q, k = (rotate(lm[x], lm["cos"], lm["sin"], pairing) for x in "qk")
    errors = {"rotate": max(distance(q, lm["q_rot"]), distance(k, lm["k_rot"]))}
    angles, factor = language_angles(expected, lm["position_ids"]), expected["attention_factor"]
    errors["table"] = max(distance(factor * np.cos(angles), lm["cos"]), distance(factor * np.sin(angles), lm["sin"]))
    if "q_attend" in lm:
        # A norm follows the rotation, so `out` starts from the stored result of that norm.
        q, k = lm["q_attend"], lm["k_attend"]
    else:
        off = 1.01 * angles
        wrong = [rotate(lm[x], factor * np.cos(off), factor * np.sin(off), pairing) for x in "qk"]
        errors["wrong"] = distance(attend(*wrong, lm["v"], scale, causal(len(q)))[0], lm["out"])
    out, errors["std"] = attend(q, k, lm["v"], scale, causal(len(q)))
    errors["out"] = distance(out, lm["out"])
    keys, values = [k], [lm["v"]]
    for step in steps:
        q, k = (rotate(step[x], step["cos"], step["sin"], pairing) for x in "qk")
        errors["rotate"] = max(errors["rotate"], distance(q, step["q_rot"]), distance(k, step["k_rot"]))
        q, k = step.get("q_attend", q), step.get("k_attend", k)
        keys.append(k)
        values.append(step["v"])
        out, _ = attend(q, np.concatenate(keys), np.concatenate(values), scale, None)
        errors["decode"] = max(errors.get("decode", 0.0), distance(out, step["out"]))
    return errors


def check_vision(tensors: dict, name: str, constants: dict) -> dict:
    data = part(tensors, f"vision.{name}")
    pairing = constants["pairing"]
    q, k = (rotate(data[x], data["cos"], data["sin"], pairing) for x in "qk")
    borders = data["cu_seqlens"].astype(int)
    segment = np.searchsorted(borders, np.arange(len(q)), side="right")
    out, std = attend(q, k, data["v"], constants["scale"], segment[:, None] == segment[None, :])
    ids = tensors["vision.position_ids"]
    if "vision.window_index" in tensors:
        order = tensors["vision.window_index"].astype(int)
        ids = ids.reshape(len(order), -1, 2)[order].reshape(-1, 2)
    inv = np.array(constants["inv_freq"])
    angles = np.concatenate([ids[:, :1] * inv, ids[:, 1:] * inv], axis=1)
    twice = double(angles, pairing)
    return {
        "v.rotate": max(distance(q, data["q_rot"]), distance(k, data["k_rot"])),
        "v.table": max(distance(np.cos(twice), data["cos"]), distance(np.sin(twice), data["sin"])),
        "v.out": distance(out, data["out"]),
        "std": std,
    }


def language_angles(expected: dict, ids: np.ndarray) -> np.ndarray:
    """Angle of every rotary channel, (tokens, rotary_dim): inv_freq of its pair times the id of the pair's axis."""
    inv = np.array(expected["inv_freq"])
    if expected["allocation"] == "xdrope-5.18":
        channel = np.repeat(range(4), 32)
        return ids[channel].T * np.concatenate([inv, inv])
    axis, order = pairs(expected["allocation"], expected["mrope_section"], len(inv))
    return double(ids[axis].T * inv[order], expected["pairing"])


def pairs(allocation: str, section: list | None, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Axis of every pair and its place in inv_freq."""
    axis, order = np.zeros(count, int), np.arange(count)
    if allocation == "chunked":
        axis = np.repeat(range(len(section)), section)
    elif allocation == "interleaved":
        for number in (1, 2):
            axis[number : 3 * section[number] : 3] = number
    elif allocation in ("ernie", "compass"):
        height, width, _ = section
        axis[:height], axis[height : height + width] = 1, 2
        if allocation == "ernie":
            # The buffer lists all h, then all w; the pairs alternate.
            order[: height + width] = np.arange(height + width).reshape(2, -1).T.ravel()
            axis = axis[order]
    elif allocation != "single":
        raise ValueError(f"unknown allocation {allocation}")
    return axis, order


def double(angles: np.ndarray, pairing: str) -> np.ndarray:
    return np.repeat(angles, 2, axis=1) if pairing == "adjacent" else np.concatenate([angles, angles], axis=1)


def rotate(x: np.ndarray, cos: np.ndarray, sin: np.ndarray, pairing: str) -> np.ndarray:
    """x (tokens, heads, head_dim); cos and sin (tokens, rotary_dim), each pair's value twice."""
    size = cos.shape[1]
    head, rest = x[..., :size], x[..., size:]
    if pairing == "adjacent":
        turned = np.stack([-head[..., 1::2], head[..., 0::2]], axis=-1).reshape(head.shape)
    else:
        turned = np.concatenate([-head[..., size // 2 :], head[..., : size // 2]], axis=-1)
    return np.concatenate([head * cos[:, None] + turned * sin[:, None], rest], axis=-1)


def causal(tokens: int) -> np.ndarray:
    return np.tril(np.ones((tokens, tokens), bool))


def attend(q, k, v, scale: float, mask) -> tuple[np.ndarray, float]:
    """Attention output and the standard deviation of the visible logits."""
    group = q.shape[1] // k.shape[1]
    k, v = (np.repeat(x, group, axis=1) for x in (k, v))
    logits = np.einsum("qhd,khd->hqk", q, k) * scale
    visible = np.ones(logits.shape[1:], bool) if mask is None else mask
    std = float(logits[:, visible].std())
    logits = np.where(visible, logits, -np.inf)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return np.einsum("hqk,khd->qhd", weights, v), std


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max())


if __name__ == "__main__":
    sys.exit(main())

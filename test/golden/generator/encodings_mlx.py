"""What MLX computes on the CPU: rotations, attention of rotated heads, sines and cosines, ALiBi.

Vectors are `(tokens, heads, head_dim)`. Frequencies and angles of MLX are float32, the frequencies by
`exp(-i * log(base) / pairs)`.
"""

import math

import mlx.core as mx
import mlx.nn as nn
import numpy as np


def case(name, scheme, options, source, **more):
    return {"name": name, "scheme": scheme, "options": options, "source": source, **more}


def cases():
    mx.set_default_device(mx.cpu)
    yield from rotations()
    yield from attentions()
    yield from sines()
    yield from alibi()


def pairing(traditional):
    return "adjacent" if traditional else "half-split"


def uniform(random, *shape):
    return random.uniform(-1, 1, shape).astype(np.float32)


def heads_first(x):
    return mx.array(x.transpose(1, 0, 2)[None])


def tokens_first(y):
    return np.array(y[0]).transpose(1, 0, 2)


def rotations():
    random = np.random.default_rng(7)
    for head_dim, dims, base, scale, offset in [
        (16, 16, 10000.0, 1.0, 0),
        (72, 72, 10000.0, 1.0, 777),
        (80, 32, 500000.0, 0.25, 7),
        (72, 2, 10000.0, 2.0, 3),
        (100, 66, 1000000.0, 0.125, -5),
        (128, 128, 5000000.0, 1.0, 32768),
    ]:
        for traditional in [True, False]:
            x = uniform(random, 5, 2, head_dim)
            y = nn.RoPE(dims, traditional, base, scale)(heads_first(x), offset=offset)
            options = {"pairing": pairing(traditional), "spectrum": {"base": base, "dim": dims, "factor": 1 / scale}}
            name = f"rope-{pairing(traditional)}-{head_dim}-{dims}"
            yield case(name, "rotate", options, "mlx.nn.RoPE", offset=offset), {"x": x, "vectors": tokens_first(y)}
    for traditional in [True, False]:
        options = {"pairing": pairing(traditional)}
        x = uniform(random, 7, 2, 24)
        periods = random.uniform(0.5, 5000, 10).astype(np.float32)
        y = mx.fast.rope(
            heads_first(x),
            20,
            traditional=traditional,
            base=None,
            scale=0.5,
            offset=9,
            freqs=mx.array(periods),
        )
        yield (
            case(
                f"rope-freqs-{pairing(traditional)}",
                "rotate",
                {**options, "periods": "tensor", "factor": 2},
                "mlx.core.fast.rope with freqs",
                offset=9,
            ),
            {"x": x, "periods": periods, "vectors": tokens_first(y)},
        )
        rope = nn.RoPE(16, traditional)
        options["spectrum"] = {"base": 10000, "dim": 16, "factor": 1}
        _, (back,) = mx.vjp(lambda a: rope(a, offset=11), [heads_first(x)], [heads_first(x)])
        yield (
            case(
                f"rope-gradient-{pairing(traditional)}",
                "rotate",
                {**options, "inverse": True},
                "mlx.core.vjp of mlx.nn.RoPE",
                offset=11,
            ),
            {"x": x, "vectors": tokens_first(back)},
        )
        rows = uniform(random, 2, 5, 3, 16)
        batch = mx.array(rows.transpose(0, 2, 1, 3))
        made = rope(batch, offset=mx.array([3, 1000]))
        for row, offset in enumerate([3, 1000]):
            yield (
                case(
                    f"rope-row-{row}-{pairing(traditional)}",
                    "rotate",
                    options,
                    "mlx.nn.RoPE with an offset for each row of a batch",
                    offset=offset,
                ),
                {"x": rows[row], "vectors": tokens_first(made[row : row + 1])},
            )
        weight = uniform(random, 24)
        normed = nn.RoPE(16, traditional)(mx.fast.rms_norm(heads_first(x), mx.array(weight), 1e-6))
        yield (
            case(
                f"rope-norm-{pairing(traditional)}",
                "rotate",
                {**options, "norm": "tensor", "eps": 1e-6},
                "mlx.core.fast.rms_norm, then mlx.nn.RoPE",
                offset=0,
            ),
            {"x": x, "norm": weight, "vectors": tokens_first(normed)},
        )


def attentions():
    random = np.random.default_rng(8)
    for queries, keys, heads, kv_heads, traditional in [(33, 33, 7, 1, False), (3, 12, 6, 2, True)]:
        q = uniform(random, queries, heads, 16)
        k, v = uniform(random, keys, kv_heads, 16), uniform(random, keys, kv_heads, 16)
        rope = nn.RoPE(16, traditional)
        out = mx.fast.scaled_dot_product_attention(
            rope(heads_first(q), offset=keys - queries),
            rope(heads_first(k)),
            heads_first(v),
            scale=16**-0.5,
            mask="causal",
        )
        yield (
            case(
                f"attend-{queries}-{keys}",
                "attend",
                {"pairing": pairing(traditional), "spectrum": {"base": 10000, "dim": 16, "factor": 1}},
                "mlx.nn.RoPE, mlx.core.fast.scaled_dot_product_attention, causal",
            ),
            {"q": q, "k": k, "v": v, "vectors": tokens_first(out)},
        )


def sines():
    ids = np.array([0, 1, 2, 7, 32, 100, 777, 0.5, 12.25, -3], dtype=np.float32)
    for name, kwargs, base, stretch in [
        ("default", {}, 10000, 1),
        ("unscaled", {"scale": 1.0}, 10000, 1),
        ("cosines-first", {"scale": 3.0, "cos_first": True}, 10000, 1),
        ("frequencies", {"min_freq": 0.002, "max_freq": 0.5}, 250, 0.5),
        ("turns", {"min_freq": 0.001, "full_turns": True}, 1000, 2 * math.pi),
    ]:
        module = nn.SinusoidalPositionalEncoding(24, **kwargs)
        yield (
            case(
                f"sinusoidal-{name}",
                "sinusoidal",
                {"dim": 24, "order": "whisper", "base": base},
                "mlx.nn.SinusoidalPositionalEncoding",
                stretch=stretch,
                scale=module.scale,
                cosinesFirst=module.cos_first,
            ),
            {"ids": ids, "vectors": np.array(module(mx.array(ids)))},
        )


def alibi():
    for heads, queries, keys in [(8, 5, 5), (12, 3, 33), (7, 1, 100), (1, 4, 9)]:
        scores = mx.zeros((1, heads, queries, keys))
        bias = nn.ALiBi()(scores, offset=keys - queries)
        yield (
            case(f"alibi-{heads}", "alibi", {"heads": heads}, "mlx.nn.ALiBi", queries=queries, keys=keys),
            {"bias": np.array(bias[0])},
        )

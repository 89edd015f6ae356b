"""MLX from Python, behind bench/peers/mlx-python.ts: a line of JSON is answered with one.

As mlx-lm and mlx-vlm call it: fast.rope by an offset for text, cosines and sines that were made before for pictures,
fast.scaled_dot_product_attention with its causal mask by name, a cache of full size that is written in place. Segments
of one length are batches, which is more than mlx-vlm does; others are a call each. A queue is one lazy graph.
"""

import itertools
import json
import sys
import time

import mlx.core as mx


class Contestant:
    def load(self, problem, folder):
        self.problem = problem
        self.folder = folder
        self.type = getattr(mx, problem.get("type", "float32"))
        self.cache = getattr(mx, problem.get("cache", problem.get("type", "float32")))
        self.head_dim = problem["headDim"]
        self.heads, self.kv_heads = problem["heads"], problem["kvHeads"]
        self.rows = 1 if problem["work"] == "decode" else problem["tokens"]
        self.segment = min(problem.get("segment", problem["tokens"]), self.rows)
        self.scale = self.head_dim**-0.5
        self.borders = list(itertools.accumulate(problem.get("segments", [])))[:-1]
        self.q, self.k, self.v = (self.array(name, self.type) for name in "qkv")
        mx.eval(self.q, self.k, self.v)
        if problem["positions"] == "grid":
            self.cos, self.sin = (self.array(name, self.type) for name in ("cos", "sin"))
            mx.eval(self.cos, self.sin)
        if problem["work"] == "decode":
            self.layers = [self.layer() for _ in range(problem.get("queue", 1))]
        device = mx.default_device()
        name = mx.device_info().get("device_name", device) if device == mx.gpu else device
        return {"what": f"MLX {mx.__version__} from Python, {name}, {problem.get('type', 'float32')}"}

    def array(self, name, dtype):
        return mx.load(f"{self.folder}/{name}.npy").astype(dtype)

    def layer(self):
        # An addition makes memory of its own for every layer.
        parts = [self.array(name, self.cache)[None].transpose(0, 2, 1, 3) for name in ("keys", "values")]
        layer = [mx.add(part, mx.zeros([1], self.cache)) for part in parts]
        mx.eval(layer)
        return layer

    def apart(self, x):
        """(tokens, heads, head_dim) → (batch, heads, tokens of a batch, head_dim)"""
        return x.reshape(-1, self.segment, x.shape[1], self.head_dim).transpose(0, 2, 1, 3)

    def together(self, x):
        return x.transpose(0, 2, 1, 3).reshape(self.rows, -1, self.head_dim)

    def rotate(self, x):
        if self.problem["positions"] == "grid":
            return self.apart(turn(x, self.cos, self.sin))
        offset = self.problem["tokens"] - 1 if self.problem["work"] == "decode" else 0
        base = self.problem["textBase"]
        return mx.fast.rope(self.apart(x), self.head_dim, traditional=False, base=base, scale=1.0, offset=offset)

    def step(self, run):
        work = self.problem["work"]
        q, k = self.rotate(self.q), self.rotate(self.k)
        if work == "rotate":
            # Attention takes them as they are, so this order costs nothing in a model.
            return [q, k]
        v = self.apart(self.v)
        mask = "causal" if work == "attend" and self.problem["causal"] else None
        if work == "decode":
            keys, values = self.layers[run]
            keys[..., -1:, :] = k
            values[..., -1:, :] = v
            k, v = keys, values
        if "segments" in self.problem:
            parts = zip(*(mx.split(x, self.borders, axis=2) for x in (q, k, v)))
            outs = [mx.fast.scaled_dot_product_attention(*part, scale=self.scale) for part in parts]
            return [self.together(mx.concatenate(outs, axis=2))]
        return [self.together(mx.fast.scaled_dot_product_attention(q, k, v, scale=self.scale, mask=mask))]

    def run(self):
        self.last = None
        since = time.perf_counter()
        runs = [self.step(run) for run in range(self.problem.get("queue", 1))]
        mx.eval(runs)
        ms = 1000 * (time.perf_counter() - since)
        self.last = runs[-1]
        return {"ms": ms}

    def result(self, folder):
        rotated = self.problem["work"] == "rotate"
        for i, array in enumerate(map(self.together, self.last) if rotated else self.last):
            mx.save(f"{folder}/result{i}.npy", array.astype(mx.float32))
        return {"count": len(self.last)}


@mx.compile
def turn(x, cos, sin):
    a, b = mx.split(x, 2, axis=-1)
    return mx.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


contestant = Contestant()
for line in sys.stdin:
    request = json.loads(line)
    try:
        if request["ask"] == "load":
            answer = contestant.load(request["problem"], request["folder"])
        elif request["ask"] == "run":
            answer = contestant.run()
        else:
            answer = contestant.result(request["folder"])
    except Exception as error:
        answer = {"failed": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)

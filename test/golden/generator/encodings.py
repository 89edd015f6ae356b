"""Writes ../encodings: what published code computes for encodings of grids, absolute and relative encodings.

    pip install -r requirements-encodings.txt && python encodings.py

Every file holds small float32 tensors; index.json says which call of which library made each of them.
"""

import json
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

import encodings_biases  # noqa: E402
import encodings_mlx  # noqa: E402
import encodings_rotary  # noqa: E402
import encodings_tables  # noqa: E402

OUT = Path(__file__).resolve().parent.parent / "encodings"


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    OUT.mkdir(exist_ok=True)
    index = {}
    for name, module in [
        ("rotary", encodings_rotary),
        ("tables", encodings_tables),
        ("biases", encodings_biases),
        ("mlx", encodings_mlx),
    ]:
        tensors, cases = {}, []
        for case, made in module.cases():
            cases.append(case)
            for key, tensor in made.items():
                array = tensor.detach().to(torch.float32).numpy() if torch.is_tensor(tensor) else tensor
                tensors[f"{case['name']}.{key}"] = np.ascontiguousarray(array, dtype=np.float32)
        save_file(tensors, OUT / f"{name}.safetensors")
        (OUT / f"{name}.safetensors").chmod(0o644)
        index[name] = cases
    (OUT / "index.json").write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

"""Ids by the rules of transformers 4.57.6: get_rope_index, taken out of the unpacked wheel and executed here.

The two releases cannot be imported side by side, and only this method is needed.
"""

import ast
import typing
from pathlib import Path

import torch

VERSION = "4.57.6"
METHODS = ("get_rope_index", "get_llm_pos_ids_for_vision", "get_chunked_index")
FUNCTIONS = ("_get_feat_extract_output_lengths",)


def rope_index(root: Path, package: str, config, inputs: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """position_ids (3, rows, width) and rope_deltas (rows, 1)."""
    owner = _load(root / "models" / package / f"modeling_{package}.py")
    model = type("Model", (), owner)()
    model.config = config
    model.spatial_merge_size = config.vision_config.spatial_merge_size
    return model.get_rope_index(**inputs)


def _load(path: Path) -> dict:
    tree = ast.parse(path.read_text())
    owner = next(
        node for node in tree.body
        if isinstance(node, ast.ClassDef) and any(getattr(f, "name", "") == METHODS[0] for f in node.body)
    )
    names = {"torch": torch, "itertools": __import__("itertools"), "np": __import__("numpy")}
    names |= {name: getattr(typing, name) for name in ("Optional", "Union", "Any", "Callable")}
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in FUNCTIONS]
    methods = [node for node in owner.body if isinstance(node, ast.FunctionDef) and node.name in METHODS]
    module = ast.Module(body=[*functions, *methods], type_ignores=[])
    exec(compile(module, str(path), "exec"), names)  # noqa: S102 - the maintainer names the wheel
    return {node.name: names[node.name] for node in methods}


def check_version(root: Path) -> None:
    text = (root / "__init__.py").read_text()
    found = next(line.split('"')[1] for line in text.splitlines() if line.startswith("__version__"))
    if found != VERSION:
        raise SystemExit(f"{root} holds transformers {found}, {VERSION} is needed")



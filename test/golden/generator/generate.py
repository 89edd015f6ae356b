"""Writes the golden captures. See README.md beside this file.

    python generate.py --transformers4 DIR [--out DIR] [--family NAME ...]
"""

import argparse
import json
import os
import shutil
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

import v4  # noqa: E402
from families import FAMILIES  # noqa: E402
from prompts import seed_of  # noqa: E402
from run import Runner, v4_case  # noqa: E402
from weights import mark_centred_norms, randomise  # noqa: E402

VERSION = "5.18.0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--transformers4", type=Path, required=True, help="folder `transformers` of the 4.57.6 wheel")
    parser.add_argument("--family", action="append", help="only these families (default: all)")
    options = parser.parse_args()
    if transformers.__version__ != VERSION:
        raise SystemExit(f"transformers {VERSION} is needed, this is {transformers.__version__}")
    v4.check_version(options.transformers4)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for build in FAMILIES:
        if not options.family or build.__name__ in options.family:
            write_family(build(), options.out, options.transformers4)
    write_manifest(options.out)


def write_family(family, out: Path, transformers4: Path) -> None:
    folder = out / family.name
    if folder.exists():
        shutil.rmtree(folder)
    if family.cases:
        model = family.build_model()
        mark_centred_norms(model)
        randomise(model, seed_of(family.name))
        runner = Runner(family, model)
        for case in family.cases:
            write_case(folder / case.name, family, *runner.case(case))
    for case in family.v4_cases:
        write_case(folder / case.name, family, *v4_case(family, case, transformers4), {})


def write_case(folder: Path, family, sequence, expected: dict, tensors: dict) -> None:
    folder.mkdir(parents=True)
    write_json(folder / "config.json", family.config.to_dict())
    write_json(folder / "sequence.json", sequence)
    write_json(folder / "expected.json", expected)
    if tensors:
        save_file(dict(sorted(tensors.items())), folder / "tensors.safetensors")
    print(f"{folder.parent.name}/{folder.name}", flush=True)


def write_manifest(out: Path) -> None:
    """One line per case, in the order in which a failure says most: README.md, manifest.json."""
    order = {build.__name__: index for index, build in enumerate(FAMILIES)}
    kinds = {"attend": 0, "rotate": 1, "vision": 2, "ids": 3}
    cases = []
    for file in out.glob("*/*/expected.json"):
        version = json.loads(file.read_text())["transformers_version"]
        cases.append({
            "family": file.parent.parent.name,
            "case": file.parent.name,
            "kind": kind(file.parent),
            "compat": f"transformers@{'.'.join(version.split('.')[:2])}",
        })
    cases.sort(key=lambda c: (kinds[c["kind"]], c["compat"] != "transformers@5.18", order[c["family"]], c["case"]))
    lines = ",\n".join(json.dumps(case) for case in cases)
    (out / "manifest.json").write_text(f"[\n{lines}\n]\n")


def kind(folder: Path) -> str:
    tensors = folder / "tensors.safetensors"
    if not tensors.exists():
        return "ids"
    content = tensors.read_bytes()
    names = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    if "lm.q_attend" in names:
        return "rotate"
    return "attend" if "lm.q" in names else "vision"


def write_json(path: Path, value) -> None:
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()

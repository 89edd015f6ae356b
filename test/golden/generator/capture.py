"""Hooks around the unchanged model code: what goes into and comes out of every rotation and attention call."""

import importlib
import inspect
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

ROTATIONS = ("apply_rotary_pos_emb", "apply_multimodal_rotary_pos_emb", "apply_rotary_pos_emb_vision",
             "apply_rotary_pos_emb_xdrope")
ATTENTION = "eager_attention_forward"


@dataclass
class AttentionCall:
    """One pass of one attention layer. Tensors are as the model passed them, batch dimension included."""

    layer: str
    scale: float
    rotation: dict
    query: torch.Tensor
    key: torch.Tensor
    value: list = field(default_factory=list)
    out: list = field(default_factory=list)


@dataclass
class Record:
    attention: list = field(default_factory=list)
    # (module name, position_ids) of every rotary module call, in order.
    positions: list = field(default_factory=list)
    windows: list = field(default_factory=list)


class Recorder:
    """Patches the modelling modules of one family while `recording()` is open."""

    def __init__(self, model: torch.nn.Module, module_names: list[str]):
        self.model = model
        self.modules = [importlib.import_module(name) for name in module_names]
        self.names = {id(module): name for name, module in model.named_modules()}
        self.rotary = {
            name: module for name, module in model.named_modules() if "RotaryEmbedding" in type(module).__name__
        }
        self.record: Record | None = None
        self.pending: dict | None = None

    @contextmanager
    def recording(self):
        self.record, self.pending = Record(), None
        undo = []
        for module in self.modules:
            for name in ROTATIONS:
                if hasattr(module, name):
                    undo.append((module, name, getattr(module, name)))
                    setattr(module, name, self._rotation(getattr(module, name)))
            if hasattr(module, ATTENTION):
                undo.append((module, ATTENTION, getattr(module, ATTENTION)))
                setattr(module, ATTENTION, self._attention(getattr(module, ATTENTION)))
            if hasattr(module, "get_vision_window_index"):
                undo.append((module, "get_vision_window_index", module.get_vision_window_index))
                module.get_vision_window_index = self._windows(module.get_vision_window_index)
        hooks = [
            module.register_forward_pre_hook(self._positions(name), with_kwargs=True)
            for name, module in self.rotary.items()
        ]
        try:
            yield self.record
        finally:
            for module, name, original in undo:
                setattr(module, name, original)
            for hook in hooks:
                hook.remove()
            self.record = None

    def _rotation(self, original):
        signature = inspect.signature(original)

        def wrapper(*args, **kwargs):
            given = signature.bind(*args, **kwargs).arguments
            before = {name: given[name].detach().clone() for name in ("q", "k", "cos", "sin")}
            q_rot, k_rot = original(*args, **kwargs)
            self.pending = before | {"q_rot": q_rot.detach().clone(), "k_rot": k_rot.detach().clone()}
            return q_rot, k_rot

        return wrapper

    def _attention(self, original):
        def wrapper(module, query, key, value, *args, **kwargs):
            result = original(module, query, key, value, *args, **kwargs)
            name = self.names[id(module)]
            if self.pending is not None:
                scale = kwargs.get("scaling", args[1] if len(args) > 1 else None)
                self.record.attention.append(AttentionCall(
                    name, float(scale), self.pending, query.detach().clone(), key.detach().clone()
                ))
                self.pending = None
            call = self.record.attention[-1] if self.record.attention else None
            # A vision layer calls attention once per segment after one rotation.
            if call is not None and call.layer == name:
                call.value.append(value.detach().clone())
                call.out.append(result[0].detach().clone())
            return result

        return wrapper

    def _positions(self, name):
        def hook(_module, args, kwargs):
            ids = kwargs["position_ids"] if "position_ids" in kwargs else args[1]
            self.record.positions.append((name, ids.detach().clone()))

        return hook

    def _windows(self, original):
        def wrapper(*args, **kwargs):
            index, cu_seqlens = original(*args, **kwargs)
            self.record.windows.append(index.clone())
            return index, cu_seqlens

        return wrapper

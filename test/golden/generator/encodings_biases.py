"""Biases `(heads, queries, keys)`, or where they read queries the attention with them `(queries, heads, dim)`."""

import torch
from transformers import BeitConfig, Swinv2Config, T5Config, Wav2Vec2BertConfig
from transformers.models.beit.modeling_beit import BeitRelativePositionBias
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.mpt.modeling_mpt import build_mpt_alibi_tensor
from transformers.models.swin.modeling_swin import SwinRelativePositionBias
from transformers.models.swinv2 import modeling_swinv2
from transformers.models.t5.modeling_t5 import T5Attention
from transformers.models.wav2vec2_bert import modeling_wav2vec2_bert as bert


def case(name, scheme, options, source, **more):
    return {"name": name, "scheme": scheme, "options": options, "source": source, **more}


def cases():
    torch.manual_seed(6)
    for heads in [8, 12, 7, 1]:
        alibi = build_alibi_tensor(torch.ones(1, 9), heads, torch.float32)
        # The row of the last query: slope · key index, up to what all its keys share.
        yield (
            case(f"bloom-{heads}", "bloom", {"heads": heads}, "transformers bloom build_alibi_tensor"),
            {"keys": alibi[:, 0]},
        )
        for most in [8, 4]:
            made = build_mpt_alibi_tensor(heads, 9, most)[:, 0]
            yield (
                case(
                    f"mpt-{heads}-{most}",
                    "mpt",
                    {"heads": heads, "biasMax": most},
                    "transformers mpt build_mpt_alibi_tensor",
                ),
                {"keys": made},
            )
    distances = torch.arange(-1999, 2000)
    for bidirectional in [True, False]:
        for buckets, far in [(32, 128), (32, 64), (9, 21), (64, 1000)]:
            made = T5Attention._relative_position_bucket(distances, bidirectional, buckets, far)
            options = {"bidirectional": bidirectional, "buckets": buckets, "maxDistance": far}
            yield (
                case(
                    f"t5-buckets-{'both' if bidirectional else 'one'}-{buckets}-{far}",
                    "t5Bucket",
                    options,
                    "transformers T5Attention",
                ),
                {"buckets": made},
            )
    for decoder in [False, True]:
        config = T5Config(
            d_model=8,
            d_kv=4,
            num_heads=3,
            relative_attention_num_buckets=8,
            relative_attention_max_distance=20,
            is_decoder=decoder,
        )
        attention = T5Attention(config, has_relative_attention_bias=True, layer_idx=0)
        torch.nn.init.normal_(attention.relative_attention_bias.weight)
        yield (
            case(
                f"t5-{'decoder' if decoder else 'encoder'}",
                "t5",
                {"buckets": 8, "maxDistance": 20, "bidirectional": not decoder, "table": "tensor"},
                "transformers T5Attention.compute_bias",
                keys=33,
            ),
            {"table": attention.relative_attention_bias.weight, "bias": attention.compute_bias(33, 33)[0]},
        )
    yield from windows()
    yield from reading()


def windows():
    module = SwinRelativePositionBias(3, (3, 5))
    torch.nn.init.normal_(module.relative_position_bias_table)
    yield (
        case("swin", "swin", {"window": [3, 5], "table": "tensor"}, "transformers SwinRelativePositionBias", keys=15),
        {"table": module.relative_position_bias_table, "bias": module()[0]},
    )
    for name, pretrained in [("swin-v2", [0, 0]), ("swin-v2-pretrained", [4, 6])]:
        module = modeling_swinv2.Swinv2SelfAttention(Swinv2Config(), 12, 3, [3, 5], pretrained)
        mlp = module.continuous_position_bias_mlp
        for p in mlp.parameters():
            torch.nn.init.normal_(p, std=0.3)
        keep = 8
        w0, b0, w2 = mlp[0].weight, mlp[0].bias, mlp[2].weight
        with torch.no_grad():
            w2[:, keep:] = 0  # The other hidden units are left out of the file.
        made = mlp(module.relative_coords_table).view(-1, 3)[module.relative_position_index.view(-1)].view(15, 15, -1)
        options = {"window": [3, 5], "weight0": "tensor", "bias0": "tensor", "weight2": "tensor"}
        if pretrained[0] > 0:
            options["pretrainedWindow"] = pretrained
        yield (
            case(name, "swinV2", options, "transformers Swinv2SelfAttention", keys=15),
            {
                "weight0": w0[:keep],
                "bias0": b0[:keep],
                "weight2": w2[:, :keep],
                "bias": 16 * torch.sigmoid(made).permute(2, 0, 1),
            },
        )
    for name, size, window in [("beit", 12, (3, 3)), ("beit-resized", 12, (2, 5)), ("beit-oblong", (12, 20), (3, 5))]:
        module = BeitRelativePositionBias(BeitConfig(image_size=size, patch_size=4, num_attention_heads=3))
        torch.nn.init.normal_(module.relative_position_bias_table)
        made = module(window)
        sides = list(module.window_size)
        yield (
            case(
                name,
                "beit",
                {"window": list(window), "from": sides, "table": "tensor"},
                "transformers BeitRelativePositionBias",
                keys=window[0] * window[1] + 1,
            ),
            {"table": module.relative_position_bias_table, "bias": made.reshape(-1, *made.shape[-2:])},
        )


def reading():
    for name, kind in [("shaw", "relative_key"), ("transformer-xl", "relative")]:
        config = Wav2Vec2BertConfig(
            hidden_size=24,
            num_attention_heads=3,
            position_embeddings_type=kind,
            left_max_position_embeddings=6,
            right_max_position_embeddings=4,
        )
        config._attn_implementation = "eager"
        module = bert.Wav2Vec2BertSelfAttention(config).eval()
        for p in module.parameters():
            torch.nn.init.normal_(p, std=0.5)
        hidden = torch.randn(1, 33, 24)
        shape = (1, 33, 3, 8)
        q, k, v = [linear(hidden).view(shape)[0] for linear in (module.linear_q, module.linear_k, module.linear_v)]
        with torch.no_grad():
            for eye in (module.linear_out,):
                eye.weight.copy_(torch.eye(24))
                eye.bias.zero_()
        made = {"q": q, "k": k, "v": v}
        if kind == "relative":
            positions = bert.Wav2Vec2BertRelPositionalEmbedding(config)(hidden)
            out = module(hidden, relative_position_embeddings=positions)[0]
            made["relative"] = module.linear_pos(positions).view(-1, 3, 8)
            made["u"], made["v_bias"] = module.pos_bias_u, module.pos_bias_v
            options = {"farthest": 32}
        else:
            out = module(hidden)[0]
            made["embeddings"] = module.distance_embedding.weight
            options = {"left": 6, "right": 4}
        yield case(name, name, options, "transformers Wav2Vec2BertSelfAttention"), {**made, "out": out.view(shape)[0]}

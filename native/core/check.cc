#include "check.h"

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

namespace mrope {
namespace {

constexpr int64_t maxElements = int64_t(1) << 36;
/** Ranges of keys are 32-bit. */
constexpr int64_t maxTokens = (int64_t(1) << 31) - 4096;
constexpr int64_t maxDim = mostDim;

std::string dims(const Tensor &t) {
  return "[" + std::to_string(t.tokens) + ", " + std::to_string(t.heads) + ", " + std::to_string(t.dim) + "]";
}

Status shape(const std::string &text) { return Status::range(code::shape, text); }

bool overlap(const void *a, int64_t aBytes, const void *b, int64_t bBytes) {
  const auto p = reinterpret_cast<uintptr_t>(a), q = reinterpret_cast<uintptr_t>(b);
  return aBytes > 0 && bBytes > 0 && p < q + uintptr_t(bBytes) && q < p + uintptr_t(aBytes);
}

int64_t bytes(const Tensor &t) { return t.elements() * bytesOf(t.type); }

bool overlaps(const Tensor &out, const Table &table) {
  const int64_t size = table.heads * table.tokens * table.pairs * 4;
  return overlap(out.data, bytes(out), table.cos, size) || overlap(out.data, bytes(out), table.sin, size);
}

Status checkTable(const char *caller, const char *name, const Table &table, const Tensor &x, int64_t tableHeadsOf) {
  const std::string who = caller;
  if (table.heads < 1 || table.tokens < 0 || table.pairs < 0 || table.heads > maxDim || table.pairs > maxDim ||
      table.tokens > maxTokens) {
    return shape(who + ": the shape of the table must be [heads, tokens, pairs] with at least one head, got [" +
                 std::to_string(table.heads) + ", " + std::to_string(table.tokens) + ", " +
                 std::to_string(table.pairs) + "]");
  }
  if (2 * table.pairs > x.dim) {
    return shape(who + ": the table rotates " + std::to_string(2 * table.pairs) + " channels, " + name +
                 " has a head dim of " + std::to_string(x.dim));
  }
  if (tableHeadsOf % table.heads != 0) {
    return Status::range(code::heads, who + ": " + name + " has " + std::to_string(tableHeadsOf) +
                                          " heads, which does not divide by the " + std::to_string(table.heads) +
                                          " heads of the table");
  }
  return {};
}

Status checkMask(const Attend &a) {
  const Mask &mask = a.mask;
  if (mask.window < 0) {
    return Status::range(code::argument, "attend: mask.window must be at least 1, got " + std::to_string(mask.window));
  }
  if (mask.padding < 0 || mask.padding > a.k.tokens) {
    return Status::range(code::argument, "attend: mask.padding is " + std::to_string(mask.padding) + ", there are " +
                                             std::to_string(a.k.tokens) + " keys");
  }
  if (mask.cuSeqlens == nullptr) return {};
  if (a.q.tokens != a.k.tokens) {
    return Status::range(code::segment, "attend: mask.cuSeqlens needs as many queries as keys, got " +
                                            std::to_string(a.q.tokens) + " and " + std::to_string(a.k.tokens));
  }
  if (mask.segments < 0 || mask.cuSeqlens[0] != 0 || mask.cuSeqlens[mask.segments] != a.k.tokens) {
    return Status::range(code::segment, "attend: mask.cuSeqlens must go from 0 to the number of keys " +
                                            std::to_string(a.k.tokens));
  }
  for (int64_t i = 1; i <= mask.segments; i++) {
    if (mask.cuSeqlens[i] >= mask.cuSeqlens[i - 1]) continue;
    return Status::range(code::segment, "attend: mask.cuSeqlens must be integers that never fall, entry " +
                                            std::to_string(i) + " is " + std::to_string(mask.cuSeqlens[i]));
  }
  return {};
}

Status checkBias(const Attend &a) {
  const Bias &b = a.bias;
  if (b.kind == BiasKind::None) return {};
  const int kind = static_cast<int>(b.kind);
  if (kind < 0 || kind > 5) {
    return Status::type(code::argument, "attend: the kind of the bias must be 0 … 5, got " + std::to_string(kind));
  }
  if (b.heads != 1 && b.heads != a.q.heads) {
    return Status::range(code::heads, "attend: bias has " + std::to_string(b.heads) + " heads, q has " +
                                          std::to_string(a.q.heads));
  }
  if (b.kind != BiasKind::Tensor && b.type != DType::Float32) {
    return Status::type(code::dtype, "attend: the values of a bias function must be float32");
  }
  int64_t each = 0;
  switch (b.kind) {
    case BiasKind::None:
      break;
    case BiasKind::Tensor:
      each = a.q.tokens * a.k.tokens;
      break;
    case BiasKind::Slope:
      each = 1;
      break;
    case BiasKind::Distance:
      if (b.span < 1 || b.span > maxTokens || b.origin < -maxTokens || b.origin > maxTokens) {
        return shape("attend: a distance bias needs a span of at least 1, got " + std::to_string(b.span));
      }
      each = b.span;
      break;
    case BiasKind::Grid:
      if (b.rows < 1 || b.columns < 1 || b.rows > 16384 || b.columns > 16384) {
        return shape("attend: a grid bias needs rows and columns of 1 … 16384, got " + std::to_string(b.rows) + " and " +
                     std::to_string(b.columns));
      }
      each = (2 * b.rows - 1) * (2 * b.columns - 1);
      break;
    case BiasKind::Difference:
      if (a.queryOffset + a.q.tokens > a.k.tokens) {
        return shape("attend: the bias has one value for each of " + std::to_string(a.k.tokens) + " keys, there are " +
                     std::to_string(a.q.tokens) + " queries");
      }
      each = a.k.tokens;
      break;
  }
  if (b.length != b.heads * each) {
    return shape("attend: the bias needs " + std::to_string(b.heads) + " × " + std::to_string(each) +
                 " values, it has " + std::to_string(b.length));
  }
  return {};
}

/** Where the places of the queries in the sequence matter, queries are among the keys. */
bool positional(const Attend &a) {
  return a.mask.causal || a.mask.window > 0 || a.mask.padding > 0 || a.mask.cuSeqlens != nullptr ||
         (a.rotateQ && a.rotateK);
}

}  // namespace

Status checkDims(const char *caller, const char *name, const Tensor &t) {
  const bool counts = t.tokens >= 0 && t.heads >= 0 && t.dim >= 0 && t.tokens <= maxTokens && t.heads <= maxDim &&
                      t.dim <= maxDim && t.tokens * t.heads <= maxElements && t.elements() <= maxElements;
  if (counts) return {};
  return shape(std::string(caller) + ": " + name + " has dims that cannot be (" + name + ".dims = " + dims(t) + ")");
}

Status check(const Rotate &r) {
  if (Status s = checkDims("rotate", "x", r.x); !s.ok()) return s;
  if (Status s = checkDims("rotate", "out", r.out); !s.ok()) return s;
  if (r.out.tokens != r.x.tokens || r.out.heads != r.x.heads || r.out.dim != r.x.dim) {
    return shape("rotate: out has dims " + dims(r.out) + ", x has " + dims(r.x));
  }
  if (r.table.tokens != r.x.tokens) {
    return shape("rotate: x has " + std::to_string(r.x.tokens) + " tokens, the table has " +
                 std::to_string(r.table.tokens) + " (x.dims = " + dims(r.x) + ")");
  }
  if (Status s = checkTable("rotate", "x", r.table, r.x, r.x.heads); !s.ok()) return s;
  // In place in the other half type as well: every line is read before it is written.
  const bool same = r.out.data == r.x.data && bytesOf(r.out.type) == bytesOf(r.x.type);
  if (!same && overlap(r.out.data, bytes(r.out), r.x.data, bytes(r.x))) {
    return Status::range(code::argument, "rotate: out shares memory with x in part; it must be x itself or other memory");
  }
  if (overlaps(r.out, r.table)) {
    return Status::range(code::argument, "rotate: out shares memory with the table");
  }
  if (r.norm.weight && r.inverse) {
    return Status::range(code::argument, "rotate: a norm cannot be undone: norm and inverse exclude each other");
  }
  if (r.norm.weight && !(std::isfinite(r.norm.eps) && r.norm.eps >= 0)) {
    return Status::range(code::argument, "rotate: eps must be a finite number of at least 0");
  }
  return {};
}

Status check(const Attend &a) {
  const std::pair<const char *, const Tensor *> tensors[] = {{"q", &a.q}, {"k", &a.k}, {"v", &a.v}, {"out", &a.out}};
  for (const auto &[name, tensor] : tensors) {
    if (Status s = checkDims("attend", name, *tensor); !s.ok()) return s;
  }
  if (a.k.dim != a.q.dim) {
    return shape("attend: q has a head dim of " + std::to_string(a.q.dim) + ", k of " + std::to_string(a.k.dim));
  }
  if (a.v.tokens != a.k.tokens) {
    return shape("attend: k has " + std::to_string(a.k.tokens) + " tokens, v has " + std::to_string(a.v.tokens));
  }
  if (a.v.heads != a.k.heads) {
    return Status::range(code::heads, "attend: k has " + std::to_string(a.k.heads) + " heads, v has " +
                                          std::to_string(a.v.heads));
  }
  if (a.q.dim == 0 || a.v.dim == 0) return shape("attend: a head dim of 0");
  if (a.k.heads == 0 || a.q.heads % a.k.heads != 0) {
    return Status::range(code::heads, "attend: " + std::to_string(a.q.heads) +
                                          " query heads do not divide into groups for " + std::to_string(a.k.heads) +
                                          " KV heads");
  }
  if (a.out.tokens != a.q.tokens || a.out.heads != a.q.heads || a.out.dim != a.v.dim) {
    return shape("attend: out must have dims [" + std::to_string(a.q.tokens) + ", " + std::to_string(a.q.heads) + ", " +
                 std::to_string(a.v.dim) + "], it has " + dims(a.out));
  }
  if (a.q.tokens > a.k.tokens && positional(a)) {
    return shape("attend: " + std::to_string(a.q.tokens) + " queries for " + std::to_string(a.k.tokens) +
                 " keys: queries are tokens of the same sequence as the keys");
  }
  const int64_t lastOffset = a.k.tokens > a.q.tokens ? a.k.tokens - a.q.tokens : 0;
  if (a.queryOffset < 0 || a.queryOffset > lastOffset) {
    return shape("attend: queryOffset " + std::to_string(a.queryOffset) + " and " + std::to_string(a.q.tokens) +
                 " queries reach past the " + std::to_string(a.k.tokens) + " keys");
  }
  if (a.rotateQ || a.rotateK) {
    if (Status s = checkTable("attend", "k", a.table, a.k, a.k.heads); !s.ok()) return s;
    if (a.rotateK && a.table.tokens != a.k.tokens) {
      return shape("attend: k has " + std::to_string(a.k.tokens) + " tokens, the table has " +
                   std::to_string(a.table.tokens));
    }
    if (a.rotateQ && (a.tableOffset < 0 || a.tableOffset > a.table.tokens - a.q.tokens)) {
      return shape("attend: the table has " + std::to_string(a.table.tokens) + " rows, the queries use rows " +
                   std::to_string(a.tableOffset) + " … " + std::to_string(a.tableOffset + a.q.tokens));
    }
    if (overlaps(a.out, a.table)) {
      return Status::range(code::argument, "attend: out shares memory with the table");
    }
  }
  if (Status s = checkMask(a); !s.ok()) return s;
  if (Status s = checkBias(a); !s.ok()) return s;
  for (int i = 0; i < 3; i++) {
    const auto &[name, tensor] = tensors[i];
    if (!overlap(a.out.data, bytes(a.out), tensor->data, bytes(*tensor))) continue;
    return Status::range(code::argument, std::string("attend: out shares memory with ") + name);
  }
  if (a.bias.kind != BiasKind::None &&
      overlap(a.out.data, bytes(a.out), a.bias.values, a.bias.length * bytesOf(a.bias.type))) {
    return Status::range(code::argument, "attend: out shares memory with bias");
  }
  for (int64_t i = 0; i < (a.scales ? a.q.tokens : 1); i++) {
    const double scale = a.scales ? a.scales[i] : a.scale;
    if (std::isfinite(scale)) continue;
    return Status::range(code::argument, "attend: the scale must be a finite number, got " + std::to_string(scale));
  }
  for (const Norm *norm : {&a.qNorm, &a.kNorm}) {
    if (norm->weight == nullptr || (std::isfinite(norm->eps) && norm->eps >= 0)) continue;
    return Status::range(code::argument, "attend: eps must be a finite number of at least 0");
  }
  return {};
}

Status check(const Angles &a) {
  if (a.axes < 0 || a.axes > 64 || a.tokens < 0 || a.tokens > maxTokens || a.heads < 1 || a.heads > maxDim ||
      a.pairs < 0 || a.pairs > maxDim || a.heads * a.tokens * a.pairs > maxElements) {
    return shape("table: a table of [" + std::to_string(a.heads) + ", " + std::to_string(a.tokens) + ", " +
                 std::to_string(a.pairs) + "] and " + std::to_string(a.axes) + " axes cannot be");
  }
  for (int64_t i = 0; i < a.axes * a.tokens; i++) {
    if (std::isfinite(a.ids[i])) continue;
    return Status::range(code::position, "table: the id of token " + std::to_string(i % a.tokens) + " on axis " +
                                             std::to_string(i / a.tokens) + " is not finite");
  }
  for (int64_t f = 0; f < a.pairs; f++) {
    if (!std::isfinite(a.invFreq[f])) {
      return Status::range(code::argument, "table: the frequency of pair " + std::to_string(f) + " is not finite");
    }
  }
  const int64_t places = a.heads * a.pairs;
  for (int64_t i = 0; a.directions == nullptr && i < places; i++) {
    if (a.axisOf[i] >= -1 && a.axisOf[i] < a.axes) continue;
    return Status::range(code::argument, "table: pair " + std::to_string(i % a.pairs) + " is on axis " +
                                             std::to_string(a.axisOf[i]) + " of " + std::to_string(a.axes));
  }
  for (int64_t i = 0; a.directions != nullptr && i < places * a.axes; i++) {
    if (!std::isfinite(a.directions[i])) return Status::range(code::argument, "table: a direction is not finite");
  }
  if (!std::isfinite(a.factor)) return Status::range(code::argument, "table: the attention factor is not finite");
  return {};
}

}  // namespace mrope

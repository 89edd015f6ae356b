#pragma once

#include "attend.h"

namespace mrope::gpu {

inline int64_t roundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

/** How a request will be done: everything that is known before anything is compiled or allocated. */
struct AttendLayout {
  int64_t group = 1;
  TileNeeds needs;
  TileShape shape;
  WindowSides sides = WindowNone;
  std::vector<AttentionTile> tiles;
  int64_t splits = 1, headsPerGroup = 1;
  /** What goes through scratch memory first. */
  bool prepareQ = false, prepareK = false, prepareV = false, prepareOut = false;
};

/** @param shape of the tiles, or null: the best one that fits */
AttendLayout layoutOf(const Limits &, const AttendRequest &, const TileShape *shape);

AttendCost costOf(const AttendRequest &, const AttendLayout &);

/** Sums, maximum and total weight of every part of every row; 0 where the keys are not split. */
size_t partialBytes(const AttendRequest &, const AttendLayout &);

/** A view as dense scratch rows of whole eights. */
size_t preparedBytes(const View &);

inline bool turns(const AttendRequest &r) { return r.rotary.kind != AnglesNone; }

}  // namespace mrope::gpu

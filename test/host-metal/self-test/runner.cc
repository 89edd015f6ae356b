// Launches one kernel and prints what came of it as JSON; the self-tests run it in a process of its own.
//
//   runner LIBRARY KERNEL [OPTION]...
//     --buffer INDEX:TYPE:COUNT[:FILL]   FILL: iota (default), zero, unwritten
//     --window INDEX:BUFFER:FIRST:COUNT  elements of an earlier buffer, as memory of their own
//     --bytes INDEX:TYPE:VALUE,...       small constant
//     --threadgroup INDEX:BYTES          size of a threadgroup argument
//     --constant INDEX:TYPE:VALUE        function constant
//     --groups X[,Y[,Z]]  --threads X[,Y[,Z]]  --grid X[,Y[,Z]] (instead of --groups: threads of the whole grid)
//     --schedule in-order|reverse|random|lockstep  --seed N  --seconds S  --repeat N (launches)
//     --print INDEX                      puts the contents of a buffer into the output
// TYPE: float, half, int, uint, uchar, bool. Output: {"stats": {...}, "buffers": {"1": [...]}, "threadgroupBytes": n}
// or {"error": "..."}; exit code 0 either way.

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <sstream>

#include "executor.h"

using namespace mrope::metal_host;

namespace {

struct Type {
  std::size_t bytes;
  std::function<void(void *, double)> store;
  std::function<double(const void *)> load;
};

template <class T>
Type typeOf() {
  return {sizeof(T), [](void *p, double v) { *static_cast<T *>(p) = static_cast<T>(v); },
          [](const void *p) { return static_cast<double>(*static_cast<const T *>(p)); }};
}

const std::map<std::string, Type> types = {
    {"float", typeOf<float>()}, {"half", typeOf<_Float16>()},      {"int", typeOf<int>()},
    {"uint", typeOf<unsigned>()}, {"uchar", typeOf<unsigned char>()}, {"bool", typeOf<bool>()},
};

[[noreturn]] void stop(const std::string &message) {
  std::printf("{\"error\": \"");
  for (const char c : message) c == '"' || c == '\\' ? std::printf("\\%c", c) : std::putchar(c == '\n' ? ' ' : c);
  std::printf("\"}\n");
  std::exit(0);
}

std::vector<std::string> split(const std::string &text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

const Type &type(const std::string &name) {
  const auto found = types.find(name);
  if (found == types.end()) stop("runner: no type " + name);
  return found->second;
}

Size size(const std::string &text) {
  const auto parts = split(text, ',');
  const auto at = [&](std::size_t i) { return i < parts.size() ? std::stoul(parts[i]) : 1ul; };
  const auto n = [&](std::size_t i) { return static_cast<std::uint32_t>(at(i)); };
  return {n(0), n(1), n(2)};
}

std::vector<std::byte> values(const Type &t, const std::string &text) {
  const auto parts = split(text, ',');
  std::vector<std::byte> bytes(parts.size() * t.bytes);
  for (std::size_t i = 0; i < parts.size(); i++) t.store(bytes.data() + i * t.bytes, std::stod(parts[i]));
  return bytes;
}

struct Filled {
  std::shared_ptr<Memory> memory;
  Type type;
  std::size_t count;
};

Filled fill(const std::vector<std::string> &spec) {
  const Type &t = type(spec[1]);
  const std::size_t count = std::stoul(spec[2]);
  const std::string how = spec.size() > 3 ? spec[3] : "iota";
  const Contents contents = how == "unwritten" ? Contents::Unwritten : Contents::Written;
  auto memory = Memory::allocate(count * t.bytes, "b" + spec[0], contents);
  if (memory == nullptr) stop("runner: no memory");
  for (std::size_t i = 0; contents == Contents::Written && i < count; i++) {
    t.store(memory->as<char>() + i * t.bytes, how == "zero" ? 0.0 : static_cast<double>(i));
  }
  return {memory, t, count};
}

const std::map<std::string, Schedule> schedules = {{"in-order", Schedule::InOrder},
                                                   {"reverse", Schedule::Reverse},
                                                   {"random", Schedule::Random},
                                                   {"lockstep", Schedule::Lockstep}};

}  // namespace

int main(int argc, char **argv) {
  if (argc < 3) stop("runner LIBRARY KERNEL [OPTION]...");
  std::vector<ConstantValue> constants;
  std::map<int, Filled> buffers;
  std::vector<int> printed;
  Bindings bindings;
  Size groups, threads{32}, total;
  bool exact = false;
  int repeat = 1;
  LaunchOptions options;
  for (int i = 3; i + 1 < argc; i += 2) {
    const std::string key = argv[i], value = argv[i + 1];
    const auto parts = split(value, ':');
    const int index = std::atoi(parts[0].c_str());
    if (key == "--buffer") {
      buffers[index] = fill(parts);
      bindings.buffer(index, buffers[index].memory);
    } else if (key == "--window") {
      const Filled &whole = buffers.at(std::atoi(parts[1].c_str()));
      const std::size_t first = std::stoul(parts[2]), count = std::stoul(parts[3]);
      char *data = whole.memory->as<char>() + first * whole.type.bytes;
      bindings.buffer(index, Memory::wrap(data, count * whole.type.bytes, "w" + parts[0]));
    } else if (key == "--bytes") {
      const auto bytes = values(type(parts[1]), parts[2]);
      bindings.bytes(index, bytes.data(), bytes.size());
    } else if (key == "--constant") {
      constants.push_back({index, parts[1], values(type(parts[1]), parts[2])});
    } else if (key == "--threadgroup") {
      bindings.threadgroup(index, std::stoul(parts[1]));
    } else if (key == "--groups") {
      groups = size(value);
    } else if (key == "--threads") {
      threads = size(value);
    } else if (key == "--grid") {
      total = size(value);
      exact = true;
    } else if (key == "--schedule") {
      if (schedules.count(value) == 0) stop("runner: no schedule " + value);
      options.schedule = schedules.at(value);
    } else if (key == "--seed") {
      options.seed = std::stoull(value);
    } else if (key == "--seconds") {
      options.cpuSeconds = std::stod(value);
    } else if (key == "--repeat") {
      repeat = std::atoi(value.c_str());
    } else if (key == "--print") {
      printed.push_back(index);
    } else {
      stop("runner: no option " + key);
    }
  }

  const auto library = Library::load(argv[1]);
  if (!library) stop(library.error);
  const auto pipeline = library.value->pipeline(argv[2], constants);
  if (!pipeline) stop(pipeline.error);
  const Grid grid = exact ? Grid::ofThreads(total, threads) : Grid::threadgroups(groups, threads);
  Stats stats;
  for (int i = 0; i < repeat; i++) stats += pipeline.value->launch(bindings, grid, options);

  std::printf("{\"stats\": %s, \"threadgroupBytes\": %zu, \"buffers\": {", stats.json().c_str(),
              pipeline.value->threadgroupBytes());
  for (std::size_t k = 0; k < printed.size(); k++) {
    const auto found = buffers.find(printed[k]);
    if (found == buffers.end()) continue;
    const Filled &b = found->second;
    std::printf("%s\"%d\": [", k == 0 ? "" : ", ", printed[k]);
    for (std::size_t i = 0; i < b.count; i++) {
      const double v = b.type.load(b.memory->as<char>() + i * b.type.bytes);
      v - v == 0 ? std::printf("%s%.9g", i == 0 ? "" : ", ", v) : std::printf("%snull", i == 0 ? "" : ", ");
    }
    std::printf("]");
  }
  std::printf("}}\n");
  return 0;
}

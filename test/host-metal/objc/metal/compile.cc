#include "compile.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <vector>

#include "control.h"

extern char **environ;

namespace mrope::fake {

/** The Node that runs us, or the one on the path where we run in a plain executable. */
static std::string node() {
  std::error_code ignored;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return self.filename().string().starts_with("node") ? self.string() : "node";
}

/** The source as a file of the cache, named by its content. Empty where it cannot be written. */
static std::string store(const std::string &source, const std::string &cache) {
  char name[32];
  std::snprintf(name, sizeof name, "/%016zx.metal", std::hash<std::string>{}(source));
  std::error_code failure;
  std::filesystem::create_directories(cache, failure);
  const std::string path = cache + name;
  if (std::filesystem::exists(path, failure)) return path;
  // Under another name first: another process may be about to read it.
  const std::string draft = path + "." + std::to_string(getpid());
  std::ofstream(draft) << source;
  std::filesystem::rename(draft, path, failure);
  return failure ? "" : path;
}

static std::string rest(FILE *file) {
  std::rewind(file);
  std::string text;
  char piece[4096];
  for (std::size_t got; (got = std::fread(piece, 1, sizeof piece, file)) > 0;) text.append(piece, got);
  std::fclose(file);
  return text;
}

Compilation compile(const std::string &source, const std::map<std::string, std::string> &macros,
                    const std::string &lane) {
  const std::string folder = setting("MROPE_HOST_METAL", MROPE_HOST_METAL_FOLDER);
  const std::string cache = setting("MROPE_HOST_CACHE", MROPE_HOST_METAL_CACHE);
  const std::string path = store(source, cache);
  if (path.empty()) return {"", "cannot write to " + cache};
  std::vector<std::string> words = {node(), folder + "/compile.mjs", path,     "-o", cache,
                                    "--lane", lane,                  "--name", "program_source"};
  for (const auto &[name, value] : macros) {
    words.push_back("-D");
    words.push_back(name + "=" + value);
  }
  std::vector<char *> arguments;
  for (std::string &word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  FILE *out = std::tmpfile(), *err = std::tmpfile();
  if (out == nullptr || err == nullptr) return {"", "no temporary file: " + std::string(strerror(errno))};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, fileno(out), 1);
  posix_spawn_file_actions_adddup2(&actions, fileno(err), 2);
  pid_t child = 0;
  const int failure = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = -1;
  while (failure == 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  std::string library = rest(out), messages = rest(err);
  if (failure != 0) return {"", words[0] + " does not start: " + strerror(failure)};
  while (!library.empty() && library.back() == '\n') library.pop_back();
  if (status == 0) return {library, ""};
  return {"", messages.empty() ? "the compiler ended with " + std::to_string(status) : messages};
}

}  // namespace mrope::fake

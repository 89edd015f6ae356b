#include "library.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>

namespace mrope::metal_host {

namespace {

/** Segments of the library whose dynamic section is `map->l_ld`. */
void findSegments(const link_map *map, Library::Image &image);

constexpr auto byIndex = [](const auto &a, const auto &b) { return a.index < b.index; };

/** The name of a type in MSL, without qualifiers and aliases. */
std::string unqualified(std::string type) {
  for (const std::string word : {"const ", "metal::"})
    for (std::size_t at; (at = type.find(word)) != std::string::npos;) type.erase(at, word.size());
  constexpr std::pair<const char *, const char *> aliases[] = {
      {"int32_t", "int"}, {"uint32_t", "uint"}, {"int16_t", "short"}, {"uint16_t", "ushort"}};
  for (const auto &[alias, name] : aliases)
    if (type == alias) return name;
  return type;
}

}  // namespace

Library::Image::~Image() {
  if (handle != nullptr) dlclose(handle);
}

std::string Library::Image::mismatch(const ConstantValue &value) const {
  for (const auto *c = table->functionConstants; c != nullptr; c = c->next) {
    if (c->index != value.index) continue;
    const std::string name = std::string(" (") + c->name + ")", type = unqualified(c->type);
    if (type != value.type) return name + " is " + type + ", not " + value.type;
    if (c->bytes == value.bytes.size()) return "";
    return name + " has " + std::to_string(c->bytes) + " bytes, not " + std::to_string(value.bytes.size());
  }
  return " does not exist in the library";
}

Library::Library(std::unique_ptr<Image> image) : image_(std::move(image)) {}
Library::~Library() = default;

Result<std::shared_ptr<Library>> Library::load(const std::string &path) {
  auto image = std::make_unique<Image>();
  image->path = path;
  image->handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (image->handle == nullptr) return {nullptr, std::string("cannot load a kernel library: ") + dlerror()};
  auto *entry = reinterpret_cast<const msl::LibraryTable *(*)()>(dlsym(image->handle, "msl_library"));
  if (entry == nullptr) return {nullptr, path + " is no kernel library: it has no msl_library"};
  image->table = entry();
  if (image->table->version != msl::abiVersion) {
    return {nullptr, path + " was compiled for another executor; compile it again"};
  }
  image->lane = image->table->lane;
  for (const auto *c = image->table->functionConstants; c != nullptr; c = c->next)
    image->constants.push_back({c->index, c->name, unqualified(c->type)});
  std::sort(image->constants.begin(), image->constants.end(), byIndex);
  link_map *map = nullptr;
  if (dlinfo(image->handle, RTLD_DI_LINKMAP, &map) == 0) findSegments(map, *image);
  return {std::shared_ptr<Library>(new Library(std::move(image))), ""};
}

std::vector<std::string> Library::kernels() const {
  std::vector<std::string> names;
  for (const auto *e = image_->table->entryPoints; e != nullptr; e = e->next) names.push_back(e->name);
  std::sort(names.begin(), names.end());
  return names;
}

const std::vector<FunctionConstantInfo> &Library::functionConstants() const { return image_->constants; }
const std::string &Library::lane() const { return image_->lane; }

Result<std::shared_ptr<Pipeline>> Library::pipeline(const std::string &kernel, std::vector<ConstantValue> constants) {
  auto state = std::make_unique<Pipeline::State>();
  for (const auto *e = image_->table->entryPoints; e != nullptr; e = e->next)
    if (kernel == e->name) state->entry = e;
  if (state->entry == nullptr) {
    std::string known;
    for (const auto &name : kernels()) known += (known.empty() ? "" : ", ") + name;
    return {nullptr, "no kernel " + kernel + "; the library has " + (known.empty() ? "none" : known)};
  }
  for (const auto &value : constants) {
    const std::string error = image_->mismatch(value);
    if (!error.empty()) return {nullptr, kernel + ": function constant " + std::to_string(value.index) + error};
  }
  state->library = shared_from_this();
  state->image = image_.get();
  state->kernel = kernel;
  state->constants = std::move(constants);
  for (int i = 0; i < state->entry->count; i++) {
    const msl::Parameter &p = state->entry->parameters[i];
    if (p.kind == msl::Parameter::Kind::Builtin) continue;
    const auto space = p.kind == msl::Parameter::Kind::Threadgroup ? ParameterInfo::Space::Threadgroup
                       : p.constant                                ? ParameterInfo::Space::Constant
                                                                   : ParameterInfo::Space::Device;
    state->parameters.push_back({p.index, p.name, p.type, space, p.writable, p.elementBytes, p.alignment});
  }
  std::sort(state->parameters.begin(), state->parameters.end(), byIndex);
  for (const auto *v = image_->table->threadgroupVariables; v != nullptr; v = v->next)
    if (v->kernel == state->entry->function) state->variables.push_back(v);
  return {std::shared_ptr<Pipeline>(new Pipeline(std::move(state))), ""};
}

Pipeline::Pipeline(std::unique_ptr<State> state) : state_(std::move(state)) {}
Pipeline::~Pipeline() = default;

const std::string &Pipeline::kernel() const { return state_->kernel; }
const std::vector<ParameterInfo> &Pipeline::parameters() const { return state_->parameters; }
std::uint32_t Pipeline::maxThreads() const {
  return std::min<std::uint32_t>(state_->entry->threadLimit, msl::maxThreads);
}
std::size_t Pipeline::threadgroupBytes() const { return state_->threadgroupBytes(); }

std::size_t Pipeline::State::threadgroupBytes() const {
  std::size_t bytes = 0;
  for (const auto *v : variables) bytes += (v->bytes + 15) / 16 * 16;
  return bytes;
}

namespace {

void findSegments(const link_map *map, Library::Image &image) {
  struct Search {
    const link_map *map;
    Library::Image &image;
  } search{map, image};
  image.base = map->l_addr;
  dl_iterate_phdr(
      [](dl_phdr_info *info, std::size_t, void *data) {
        auto &s = *static_cast<Search *>(data);
        if (info->dlpi_addr != s.map->l_addr) return 0;
        for (int i = 0; i < info->dlpi_phnum; i++) {
          const auto &header = info->dlpi_phdr[i];
          if (header.p_type != PT_LOAD) continue;
          const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
          s.image.segments.push_back({begin, begin + header.p_memsz});
        }
        return 1;
      },
      &search);
}

}  // namespace

}  // namespace mrope::metal_host

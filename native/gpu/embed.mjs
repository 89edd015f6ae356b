// Writes the kernels into a C++ file: node native/gpu/embed.mjs OUT.cc
// Every metal/*.metal becomes one text with its local includes in place, so that the addon carries all that Metal
// compiles and needs no file beside it.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../../metal', import.meta.url))
const target = process.argv[2]
if (target === undefined) throw new Error('usage: node native/gpu/embed.mjs OUT.cc')

/** The text of a file; what it includes by "name" comes once, where it is first asked for. */
function flatten(file, seen = new Set()) {
  if (seen.has(file)) return ''
  seen.add(file)
  const include = /^[ \t]*#[ \t]*(?:include[ \t]+"([^"]+)"|pragma[ \t]+once\b).*$/gm
  return readFileSync(join(folder, file), 'utf8').replace(include, (_, name) => (name ? flatten(name, seen) : ''))
}

/** Compilers take string literals up to a length only; neighbours are joined. */
function literal(text) {
  const pieces = []
  for (let at = 0; at < text.length; at += 8192) pieces.push(`R"msl(${text.slice(at, at + 8192)})msl"`)
  return pieces.join('\n')
}

const files = readdirSync(folder)
  .filter((name) => name.endsWith('.metal'))
  .sort()
const texts = files.map((file) => flatten(file))
const hash = createHash('sha256').update(texts.join('\0')).digest('hex').slice(0, 16)
const entries = files.map((file, i) => `    {"${file}",\n${literal(texts[i])}},\n`)

mkdirSync(dirname(target), { recursive: true })
writeFileSync(
  target,
  `// Written by native/gpu/embed.mjs from metal/.
#include "sources.h"

namespace mrope::gpu {
namespace {

struct Source {
  const char *file;
  const char *text;
};

const Source sources[] = {
${entries.join('')}};

}  // namespace

const char *metalSource(std::string_view file) {
  for (const Source &source : sources) {
    if (file == source.file) return source.text;
  }
  return nullptr;
}

const char *const metalSourcesHash = "${hash}";

}  // namespace mrope::gpu
`,
)

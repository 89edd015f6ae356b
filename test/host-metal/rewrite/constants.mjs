// Function constants: settable globals, known to the executor by index.
//
//   constant int group [[function_constant(4)]];        ->  static int group; + its registration
//   is_function_constant_defined(group)                 ->  msl_defined_group
//   constant int rows = group * 8;                      ->  static int rows; computed when the constants are set

import { evaluate } from './enumerators.mjs'

/** Rewrites declarations and uses; returns the reflection. `enumerators` are names with values that indices may use. */
export function rewriteConstants(source, enumerators) {
  const constants = []
  const asked = questions(source)
  const settled = new Set() // names whose value is known only at run time
  let rank = 0
  for (let i = 0, depth = 0; i < source.length; i++) {
    if (source.at(i) === '{') depth++
    else if (source.at(i) === '}') depth--
    if (source.at(i) !== 'constant' || depth !== 0) continue
    const stop = source.find(i + 1, [';', '=', '(', '{', '[[', ',', ')'])
    const name = source.at(stop - 1)
    if (source.at(stop) === '[[' && source.at(stop + 1) === 'function_constant') {
      const end = source.close(stop)
      const type = source.text(i + 1, stop - 2)
      const index = evaluate(source.text(stop + 3, end - 2), enumerators)
      if (index === undefined) throw source.error(stop, `${name}: the index of a function constant is a number`)
      if (source.at(end + 1) !== ';') throw source.error(end, `${name}: a function constant has no value of its own`)
      const optional = asked.has(name)
      constants.push({ index, name, type, optional })
      settled.add(name)
      source.replace(
        i,
        end + 1,
        `static ${type} ${name}; static bool msl_defined_${name}; static ::msl::Constant msl_constant_${name}` +
          `(${name}, msl_defined_${name}, ${index}, "${name}", "${type}", ${optional});`,
      )
    } else if (source.at(stop) === '=') {
      const end = source.find(stop, [';'])
      const depends = Array.from({ length: end - stop }, (_, k) => source.at(stop + k)).some(
        (word) => settled.has(word) || word.startsWith('msl_defined_'),
      )
      if (!depends) continue
      settled.add(name)
      const [type, value] = [source.text(i + 1, stop - 2), source.text(stop + 1, end - 1)]
      source.replace(
        i,
        end,
        `static ${type} ${name}; static ::msl::Derived msl_derived_${name}([] { ${name} = ${value}; }, ${rank++});`,
      )
    }
  }
  return constants
}

/** Names in is_function_constant_defined(name), which becomes the variable that says so. */
function questions(source) {
  const asked = new Set()
  for (let i = 0; i < source.length; i++) {
    if (source.at(i) !== 'is_function_constant_defined' || source.at(i + 1) !== '(') continue
    asked.add(source.at(i + 2))
    source.replace(i, i + 3, `msl_defined_${source.at(i + 2)}`)
  }
  return asked
}

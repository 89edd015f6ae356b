const { reporters } = require('mocha')

/** The spec reporter, with one plain closing line that scripts can read. */
module.exports = class Reporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options)
    runner.once('end', () => {
      const { passes, failures, pending } = this.stats
      const skipped = pending > 0 ? `, ${pending} skipped` : ''
      process.on('exit', () => process.stdout.write(`${passes} passed, ${failures} failed${skipped}\n`))
    })
  }
}

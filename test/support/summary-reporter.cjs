"use strict";
const { appendFileSync } = require("node:fs");

/**
 * Appends "passed failed skipped" of one Jest run to the file that LBSHIELD_TEST_TOTALS names, for .ci/run to add up.
 * What ran no test is not a success: a file that does not load, or a project without files, counts as one that failed.
 */
class SummaryReporter {
  onRunComplete(_contexts, results) {
    const file = process.env.LBSHIELD_TEST_TOTALS;
    if (!file) return;
    const empty = results.numTotalTestSuites === 0 ? 1 : 0;
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites + empty;
    const skipped = results.numPendingTests + results.numTodoTests;
    appendFileSync(file, `${results.numPassedTests} ${failed} ${skipped}\n`);
  }
}

module.exports = SummaryReporter;

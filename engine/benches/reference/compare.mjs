// Runs the sketches and the engine in turn on the same workloads, and prints operations a second of each and their ratio.
// Arguments: the engine's binary, then optionally records and operations.

import { spawnSync } from "node:child_process";
import { run } from "./sketch.mjs";

const [engine, records = 1_000_000, operations = 1_000_000] = process.argv.slice(2, 5).map((word, place) => (place ? Number(word) : word));
const ROUNDS = 3;
// The pool of the heap-btree template, and YCSB's rows.
const poolPages = 1500;
const recordBytes = 1000;

// Processor seconds, so that other programs on the machine matter little: the shell's `times` tells those of its children last.
function simulate(workload, count) {
  const words = ["simulate", "--template", "heap-btree", "--workload", workload, "--trace", "none", "--json"];
  words.push("--records", String(records), "--operations", String(count), "--clients", "1");
  const child = spawnSync("sh", ["-c", '"$0" "$@" && times', engine, ...words], { maxBuffer: 1 << 28, encoding: "utf8" });
  if (child.status !== 0) throw new Error(child.stderr || String(child.error));
  const end = child.stdout.lastIndexOf("}") + 1;
  const { operations: measured, warmup_operations: warmup } = JSON.parse(child.stdout.slice(0, end)).summary;
  const times = [...child.stdout.slice(end).matchAll(/(\d+)m([\d.]+)s/g)].slice(-2);
  const seconds = times.reduce((sum, [, minutes, rest]) => sum + 60 * Number(minutes) + Number(rest), 0);
  return { seconds, operations: measured + warmup };
}

/** Operations a second without the load, and seconds from start to report. */
function timeEngine(workload) {
  const loaded = simulate(workload, 1);
  const whole = simulate(workload, operations);
  return {
    rate: (whole.operations - loaded.operations) / Math.max(whole.seconds - loaded.seconds, 1e-9),
    whole: whole.seconds,
  };
}

function timeSketch(updateFraction, asMap, count) {
  const { loadSeconds, runSeconds } = run({ records, operations: count, poolPages, recordBytes, updateFraction, asMap });
  return { rate: count / runSeconds, whole: loadSeconds + (runSeconds * operations) / count };
}

const best = (rounds) => ({
  rate: Math.max(...rounds.map((round) => round.rate)),
  whole: Math.min(...rounds.map((round) => round.whole)),
});

console.log(`${records} records, ${operations} operations, 1 client, processor time, best of ${ROUNDS} rounds; start to report includes loading`);
for (const [workload, updateFraction] of [["ycsb-c", 0], ["ycsb-a", 0.5]]) {
  const rounds = { engine: [], map: [], array: [] };
  for (let round = 0; round < ROUNDS; round++) {
    rounds.engine.push(timeEngine(workload));
    rounds.map.push(timeSketch(updateFraction, true, operations));
    // As sketched, the list of pages is an array that is searched: a tenth of the operations is enough to time.
    rounds.array.push(timeSketch(updateFraction, false, Math.ceil(operations / 10)));
  }
  const ours = best(rounds.engine);
  const line = (name, { rate, whole }) => {
    const ratios = `${(ours.rate / rate).toFixed(1)} × a second, ${(whole / ours.whole).toFixed(1)} × start to report`;
    console.log(`${workload}  ${name.padEnd(28)} ${(rate / 1e6).toFixed(3)} Mops/s  ${whole.toFixed(2)} s   engine: ${ratios}`);
  };
  line("engine", ours);
  line("sketch, order in a map", best(rounds.map));
  line("sketch, order in an array", best(rounds.array));
}

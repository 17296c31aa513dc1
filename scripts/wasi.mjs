// Runs a WebAssembly module of the command line: `node wasi.mjs MODULE ARGUMENT…`.
import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const [module, ...words] = process.argv.slice(2);
const wasi = new WASI({ version: "preview1", args: ["engine", ...words], preopens: { ".": "." } });
const { instance } = await WebAssembly.instantiate(await readFile(module), wasi.getImportObject());
process.exitCode = wasi.start(instance);

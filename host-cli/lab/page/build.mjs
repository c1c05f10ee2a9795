// Makes dist/ of src/: one script, one style sheet, and what is copied as it is. `--watch` builds again at every change.

import { copyFile, mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { context } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

await mkdir(here("dist"), { recursive: true });
for (const name of ["index.html", "icon.svg"]) {
  await copyFile(here(`src/${name}`), here(`dist/${name}`));
}

const build = await context({
  entryPoints: { app: here("src/main.ts") },
  outdir: here("dist"),
  bundle: true,
  format: "esm",
  target: ["es2022"],
  minify: true,
  // The licences of what is bundled stand at the end of the file, as they ask.
  legalComments: "eof",
  logLevel: "info",
});
if (process.argv.includes("--watch")) {
  await build.watch();
} else {
  await build.rebuild();
  await build.dispose();
}

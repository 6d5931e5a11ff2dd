/**
 * Compiles the innermost loops: `npm run build:bytes`. Writes `../code.ts`, in which the code stands as a text, so that one file
 * serves tests, builds and bundles. Prints what the compiler complains of, and fails then.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const here = fileURLToPath(new URL('.', import.meta.url));
const compiled = new Map();
const { error, stderr } = await asc.main(
  [
    'starts.ts',
    'search.ts',
    '--baseDir',
    here,
    '--outFile',
    'code.wasm',
    '--runtime',
    'stub',
    '--enable',
    'simd',
    '--initialMemory',
    '1',
    '-O3',
    '--noAssert',
  ],
  { writeFile: (name, contents) => compiled.set(name, contents) },
);
if (error) {
  process.stderr.write(`${stderr.toString()}${error.message}\n`);
  process.exit(1);
}
const text = Buffer.from(compiled.get('code.wasm')).toString('base64');
writeFileSync(
  fileURLToPath(new URL('../code.ts', import.meta.url)),
  `/** The innermost loops, compiled by \`npm run build:bytes\` from \`assembly/\`: WebAssembly in base64. */\nexport const code =\n  '${text}';\n`,
);

/** `npm run docs`: writes the tables of docs/reference.md anew from the code. */
import { writeFile } from 'node:fs/promises';
import { reference, referenceFile } from './reference.ts';

await writeFile(referenceFile, (await reference()).current);

import { annotate } from './annotate.ts';
import { changeList } from './change-list.ts';
import { finalState } from './final-state.ts';
import { mistakes } from './mistakes.ts';
import { prepare } from './prepare.ts';
import { remove } from './remove.ts';
import { repair } from './repair.ts';
import type { Scene } from './scene.ts';
import { update } from './update.ts';

/** The tutorial, in the order in which it is played; each scene starts from where the one before ended. */
export const scenes: readonly Scene[] = [
  prepare,
  annotate,
  mistakes,
  update,
  repair,
  changeList,
  remove,
  finalState,
];

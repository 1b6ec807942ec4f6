import { sourceKey } from '../source/source-record.ts';
import { winnerOf } from './decide.ts';
import type { Facts } from './facts.ts';

/**
 * Drops what was gathered about something that is not so any more: reads take time, and events come meanwhile. The
 * proof that one source let its copy go says nothing of another's, nor is one source's payload another's.
 */
export function withoutStale(now: Facts, before: Facts): Facts {
  return {
    ...now,
    source: servedSource(now) === servedSource(before) ? now.source : undefined,
    release: versionOf(now) === versionOf(before) ? now.release : undefined,
  };
}

function servedSource(facts: Facts): string | undefined {
  const source = winnerOf(facts)?.source;
  return source === undefined ? undefined : `${sourceKey(source)} ${source.uid}`;
}

function versionOf({ standing }: Facts): string {
  return typeof standing === 'string' ? standing : `${standing.uid} ${standing.resourceVersion}`;
}

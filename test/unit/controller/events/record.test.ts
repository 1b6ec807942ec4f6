import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutMessage, eventName } from '../../../../controller/events/record.ts';

const bytes = (text: string): number => new TextEncoder().encode(text).length;

describe('cutMessage', () => {
  it('leaves alone what fits', () => {
    expect(cutMessage('It fits. Exactly.', 17)).toBe('It fits. Exactly.');
  });

  it('cuts after a sentence', () => {
    expect(cutMessage('The first one. The second one. The third one is too long.', 40)).toBe(
      'The first one. The second one. …',
    );
  });

  it('cuts between characters where no sentence ends in the second half', () => {
    expect(cutMessage('Hi. aaaaaaaaaaaaaaaaaaaa', 15)).toBe('Hi. aaaaaaaa…');
    expect(cutMessage('😀😀😀😀', 12)).toBe('😀😀…');
  });

  it('never exceeds the limit, and never breaks a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 4, max: 60 }), (text, limit) => {
        const cut = cutMessage(text, limit);
        expect(bytes(cut)).toBeLessThanOrEqual(Math.max(limit, 3));
        expect(cut.isWellFormed()).toBe(true);
        expect(cut === text || text.startsWith(cut.replace(/ ?…$/, ''))).toBe(true);
      }),
    );
  });

  it('turns any string into a well-formed one', () => {
    expect(cutMessage('a\ud800b')).toBe('a\ufffdb');
  });
});

describe('eventName', () => {
  it('leaves no dot or dash where it cuts', () => {
    const name = `${'a'.repeat(234)}-.${'b'.repeat(17)}`;
    expect(eventName(name, () => 0)).toBe(`${'a'.repeat(234)}.0000000000000000`);
  });

  it('is a valid name within 253 characters for any valid name', () => {
    const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?$/);
    const name = fc.array(label, { minLength: 1, maxLength: 30 }).map((labels) =>
      labels
        .join('.')
        .slice(0, 253)
        .replace(/[^a-z0-9]+$/, ''),
    );
    fc.assert(
      fc.property(name, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (name, random) => {
        const made = eventName(name, () => random);
        expect(made.length).toBeLessThanOrEqual(253);
        expect(made).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
        expect(made).toMatch(/\.[0-9a-f]{16}$/);
      }),
    );
  });
});

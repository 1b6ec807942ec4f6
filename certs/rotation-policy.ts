/** The numbers of the rotation. All in milliseconds but for the share. */
export interface RotationPolicy {
  /** Life of a certificate authority. */
  readonly authorityLifeMs: number;
  /** Life of a leaf. */
  readonly leafLifeMs: number;
  /** How far back certificates begin, for clients whose clock is behind. */
  readonly backdateMs: number;
  /** Share of its life after which a certificate is renewed. */
  readonly renewAfter: number;
  /**
   * From reading a CA back from the webhook configuration to relying on it: every API server must have heard of it.
   * Their watches need milliseconds, or half a minute when one was cut just then.
   */
  readonly propagationMs: number;
  /** How far the clocks of two replicas may differ without an authority being dropped too early. */
  readonly skewMs: number;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

export const defaultRotationPolicy: RotationPolicy = {
  authorityLifeMs: 365 * day,
  leafLifeMs: 30 * day,
  backdateMs: hour,
  renewAfter: 2 / 3,
  propagationMs: 5 * minute,
  skewMs: hour,
};

/** The numbers of the rotation. All in milliseconds but for the share. */
export interface RotationPolicy {
  /** Life of a CA. */
  readonly caLifeMs: number;
  /** Life of a serving certificate. */
  readonly servingLifeMs: number;
  /** How far back certificates begin, for clients whose clock is behind. */
  readonly backdateMs: number;
  /** Share of its life after which a certificate is renewed. */
  readonly renewAfter: number;
  /**
   * How long a CA must have been in the live CA bundle before serving certificates depend on it. The watches of API
   * servers need milliseconds, or half a minute when one was interrupted.
   */
  readonly propagationMs: number;
  /** The largest difference between a replica's clock and an API server's at which the replica trusts its own clock. */
  readonly skewMs: number;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

export const defaultRotationPolicy: RotationPolicy = {
  caLifeMs: 365 * day,
  servingLifeMs: 30 * day,
  backdateMs: hour,
  renewAfter: 2 / 3,
  propagationMs: 5 * minute,
  skewMs: hour,
};

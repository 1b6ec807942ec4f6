/** A request that gets no AdmissionReview: an HTTP status and one clause for its sender, without anything of its body. */
export class RequestProblem extends Error {
  override readonly name = 'RequestProblem';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
